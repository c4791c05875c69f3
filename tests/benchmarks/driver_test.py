#!/usr/bin/python3
# Debian's interpreter, whatever else is in PATH: it has Debian's matplotlib.
"""Tests the driver of the benchmarks on figures that are made up: tables,
ratios, the budget, pictures.  Nothing is measured.

Exit status: 0: all is well; 1: it is not; 77: all but the pictures, because
matplotlib is missing.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
matplotlib_files = tempfile.TemporaryDirectory()  # Goes at the end.
os.environ["MPLCONFIGDIR"] = matplotlib_files.name

from driver import budget, floors, report, rows, steps

try:
    from driver import plot
except ImportError as error:
    plot, missing = None, str(error)

SKIPPED = 77
KIB = 1024


def result(workload, case, peer, values, size=KIB, **more):
    return {"workload": workload, "case": case, "peer": peer, "unit": "ns",
            "size_bytes": size, "values": values, "pinned": False, **more}


def listing(peer, ns, store="service"):
    return result("scale", "ls -l", peer, [ns], 0, of="files", store=store)


def parts(us, store):
    """Each part of a floor takes `us`."""
    cases = {(term.row.partition(" (")[0], size)
             for floor in floors.FLOORS for term in floor.terms
             if term.peer == floors.MACHINE
             for size in [{"256 KiB": 256 * KIB, "1 MiB": KIB * KIB}.get(
                 term.row.partition(" (")[2].rstrip(")"), 0)]}
    return [result("floors", case, floors.MACHINE, [us * 1e3], size,
                   store=store) for case, size in sorted(cases)]


def copies(peer, store):
    return result("files", "cp in", peer, [1e6], 16 * KIB * KIB, store=store)


FLOORS = [
    *parts(10, "service"), *parts(20, "user"),
    result("put", "steady, one call", "vitrine", [200e3], KIB * KIB,
           store="service"),
    result("put", "steady", "memcpy", [40e3], KIB * KIB),
    *(copies(peer, store) for peer in ("vitrine", "bare tmpfs")
      for store in ("service", "user")),
    *({**result("crowd", "objects sealed", peer, [5000], 0, pairs=2, **more),
       "unit": "1/s"}
      for peer, more in (("vitrine", {"store": "user"}), ("plasma", {}))),
]
RESULTS = [
    result("get", "resident", "vitrine", [40, 50, 60], store="service"),
    result("get", "resident", "vitrine", [80, 100, 120], store="user"),
    result("get", "resident", "plasma", [9000, 10000, 11000]),
    result("get", "resident", "plasma (Python)", [20000]),
    *(result("put", case, peer, [ns * size], size, **more)
      for size in (KIB, 16 * KIB)
      for case, peer, ns, more in (
          ("steady", "vitrine", 4, {"store": "service"}),
          ("steady, one call", "vitrine", 2, {"store": "service"}),
          ("steady", "memcpy", 1, {}),
          ("steady", "plasma", 6, {}))),
    result("put", "steady, one call", "plasma", [3 * KIB]),
    listing("vitrine, 1000 objects", 5e6),
    listing("vitrine, 2000000 objects", 8e9),
    listing("bare tmpfs, 2000000 objects", 4e9),
]
DATA = {
    "machine": {"date": "today", "code": "c0de", "virtual": True, "cpus": 2,
                "cpu": "a CPU", "memory_gib": 8, "governor": "unknown",
                "load_at_start": 0, "load_at_end": 0, "kernel": "6.9",
                "system": "a system", "python": "3.11"},
    "stores": {"service": {"huge": "within_size", "mount": "passthrough"},
               "user": {"huge": "never", "mount": "page cache"}},
    "command": "benchmarks/run", "seconds_in_all": 1, "quick": False,
    "results": RESULTS, "budget": [["get", "1.00", "at most 2", "met"]],
    "not_measured": [{"workload": "get", "peer": "vineyard",
                      "reason": "no such wheel"}],
    "peers": {"plasma": "11.0.0"},
}


def cells(markdown, title, row):
    """[[cell]] of a row of the table below `title`: a line for each peer."""
    section = markdown.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    found, inside = [], False
    for line in section.splitlines()[3:]:
        parts = [part.strip() for part in line.strip("|").split("|")]
        inside = parts[0] == row or (inside and parts[0] == "")
        if inside and len(parts) > 1:
            found.append(parts[1:])
    return found


class Tables(unittest.TestCase):
    def setUp(self):
        self.by_store = rows.by_store(DATA)
        self.text = report.markdown(DATA, self.by_store,
                                    [pathlib.Path("pictures/get.svg")])

    def test_a_line_has_median_spread_and_ratio(self):
        lines = cells(self.text, "Get", "resident (1 KiB)")
        self.assertEqual(lines[0],
                         ["vitrine", "50.0 ns", "±20%", "", "", "", ""])
        self.assertEqual(lines[1], ["plasma", "10.0 µs", "±10%", "", "", "",
                                    "200 ×"])

    def test_a_store_of_a_user_has_tables_with_ratios_of_its_own(self):
        lines = cells(self.text, "Get: an ordinary user's store",
                      "resident (1 KiB)")
        self.assertEqual(lines[0][:2], ["vitrine", "100 ns"])
        self.assertEqual(lines[1][-1], "100 ×")

    def test_large_puts_have_a_rate(self):
        lines = cells(self.text, "Create + write + seal", "steady (16 KiB)")
        self.assertEqual([line[-2] for line in lines],
                         ["0.25 GB/s", "1.00 GB/s", "0.17 GB/s"])

    def test_many_objects_are_compared_with_as_many(self):
        lines = cells(self.text, "Many objects", "ls -l")
        self.assertEqual([line[-1] for line in lines],
                         ["", "1600 ×", "0.50 ×"])

    def test_steps_and_one_call_have_a_table_by_size(self):
        title = report.STEPS_TITLE
        self.assertEqual(cells(self.text, title, "1 KiB"),
                         [["4.10 µs", "2.05 µs", "2.00 ×", "6.14 µs",
                           "3.07 µs", "2.00 ×"]])
        self.assertEqual(cells(self.text, title, "16 KiB")[0][3:],
                         ["98.3 µs", "", ""])

    def test_peers_with_one_way_are_not_in_the_table_of_two(self):
        header = steps.table(self.by_store["service"])[0]
        self.assertEqual(header[1::3], ["vitrine, by steps",
                                        "plasma, by steps"])

    def test_the_rest_is_told(self):
        self.assertIn("![get](pictures/get.svg)", self.text)
        self.assertIn("| get | vineyard | no such wheel |", self.text)
        self.assertIn("- get, resident (1 KiB): plasma: 10.0 µs from C++, "
                      "20.0 µs from Python", self.text)

    def test_every_line_of_a_table_is_as_long_as_its_header(self):
        for kind, found in self.by_store.items():
            for _, _, lines in report.sections_of(found, kind):
                self.assertEqual({len(line) for line in lines},
                                 {len(lines[0])})


class Floors(unittest.TestCase):
    def setUp(self):
        data = {**DATA, "results": RESULTS + FLOORS}
        self.text = report.markdown(data, rows.by_store(data), [])

    def line(self, row, store="service"):
        title = floors.TITLE + report.STORES[store]
        return cells(self.text.replace(f"{floors.NOTES}\n\n", ""), title,
                     row)[0]

    def test_the_notes_are_told_once(self):
        self.assertEqual(self.text.count(floors.NOTES), 1)

    def test_a_floor_is_the_sum_of_its_parts(self):
        line = self.line("put of 1 MiB, one call")
        self.assertEqual(line[1:], ["50.0 µs", "200 µs", "4.00 ×",
                                    "memcpy", "40.0 µs"])
        self.assertIn("unmap (1 MiB) 10.0 µs + ", line[0])

    def test_a_part_counts_as_often_as_it_comes(self):
        line = self.line("cp in, 16 MiB")
        self.assertEqual(line, ["bare tmpfs's cp in (16 MiB) 1.00 ms + "
                                "5 × FUSE round trip 10.0 µs", "1.05 ms",
                                "1.00 ms", "0.95 ×", "bare tmpfs", "1.00 ms"])

    def test_the_floor_of_a_rate_is_the_most_that_all_cpus_do(self):
        # Two CPUs; 20 us x (1 + 0.3 + 6 x 0.1) for each object.
        line = self.line("crowd of 2 pairs, objects a second", "user")
        self.assertEqual(line[1:4], ["52632 1/s", "5000 1/s", "10.5 ×"])

    def test_what_has_no_floor_or_was_not_measured_is_not_told(self):
        user = self.text.split(floors.TITLE + report.STORES["user"], 1)[1]
        self.assertNotIn("cp in, 16 MiB", user)
        self.assertNotIn("cp over, 16 MiB", self.text)
        nothing = report.markdown(DATA, rows.by_store(DATA), [])
        self.assertNotIn(floors.TITLE, nothing)


class Figures(unittest.TestCase):
    def test_middle_half(self):
        self.assertEqual(rows.summarize([4, 1, 2, 3, 5]),
                         {"median": 3, "low": 2, "high": 4})
        self.assertEqual(rows.summarize([3, 1]),
                         {"median": 2, "low": 1, "high": 3})

    def test_words(self):
        self.assertEqual(rows.human_bytes(16 << 20), "16 MiB")
        self.assertEqual(rows.human_bytes(1500), "1500 B")
        self.assertEqual(rows.human_value(1.5e6, "ns"), "1.50 ms")

    def test_budget(self):
        figures = budget.Figures({"BM_GetResident": {"time": 50.0}},
                                 rows.Rows(RESULTS, "service"), 1000)
        judged = {line[0]: line[1:] for line in budget.judge(figures)}
        self.assertEqual(judged["get, resident and hot (ns)"],
                         ["50.00", "at most 150", "met"])
        self.assertEqual(judged["get, resident: Plasma's time / ours"],
                         ["200.00", "at least 200", "met"])
        self.assertEqual(judged["ls, for a million (s)"][0], "not run")


@unittest.skipIf(plot is None, "matplotlib is missing")
class Pictures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        (cls.scratch / "crowd.svg").touch()  # Of another run.
        cls.names = plot.write_all(cls.scratch, rows.by_store(DATA))
        cls.drawn = {path.name: path.read_bytes()
                     for path in cls.scratch.iterdir()}

    def test_there_is_one_for_what_was_measured_of_each_store(self):
        self.assertEqual(sorted(self.names), [
            "get-user.svg", "get.svg", "put-steady-user.svg",
            "put-steady.svg", "scale.svg"])
        self.assertEqual(sorted(self.names), sorted(self.drawn))

    def test_redraw_gives_equal_bytes_without_measuring(self):
        directory = self.scratch / "benchmarks"
        directory.mkdir()
        (directory / "results.json").write_text(json.dumps(DATA))
        subprocess.run([sys.executable, BENCHMARKS / "run", "--redraw",
                        "--build", self.scratch], check=True,
                       stdout=subprocess.DEVNULL)
        redrawn = {path.name: path.read_bytes()
                   for path in (directory / "pictures").iterdir()}
        self.assertEqual(redrawn, self.drawn)

    def test_vitrine_is_thick_and_the_limit_dashed(self):
        width = {peer: plot.line_style(peer)["linewidth"]
                 for peer in ("vitrine", "memcpy", "plasma")}
        self.assertGreater(width["vitrine"], 2 * width["memcpy"])
        self.assertGreater(width["memcpy"], width["plasma"])
        svg = self.drawn["put-steady.svg"].decode()
        self.assertEqual(svg.count("stroke-dasharray"), 2)  # Line and legend.


if __name__ == "__main__":
    if plot is None:
        print(f"skipped, no pictures: {missing}")
    done = unittest.main(exit=False).result
    sys.exit(1 if not done.wasSuccessful() else SKIPPED if done.skipped else 0)
