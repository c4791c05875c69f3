"""The performance budget: ratios of figures of one run."""
import statistics


def nanoseconds(row):
    unit = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[row["time_unit"]]
    return row["real_time"] * unit


def medians(rows):
    """Of Google Benchmark: {name: {"time", "speed", counter: median}}."""
    values = {}
    for row in rows:
        if row["run_type"] != "iteration" or row.get("error_occurred"):
            continue
        numbers = values.setdefault(row["name"].split("/")[0], {})
        numbers.setdefault("time", []).append(nanoseconds(row))
        for key in ("requests_per_stat", "bytes_per_second"):
            if key in row:
                name = "speed" if key == "bytes_per_second" else key
                numbers.setdefault(name, []).append(row[key])
    return {name: {key: statistics.median(list_of) for key, list_of in
                   numbers.items()} for name, numbers in values.items()}


def divide(a, b):
    return None if a is None or not b else a / b


def best(*values):
    return max((value for value in values if value is not None),
               default=None)


class Figures:
    """Finds medians by name; None for what was not measured."""

    def __init__(self, programs, rows, objects):
        self.programs = programs
        self.rows = rows
        self.objects = objects

    def program(self, name, key="time"):
        return self.programs.get(name, {}).get(key)

    def get(self, peer, row="resident (1 KiB)"):
        return self.rows.median("get", row, peer)

    def put(self, peer, size, pinned=False):
        """The faster way, where there are two."""
        times = [self.rows.median("put", f"{kind} ({size})", peer, pinned)
                 for kind in ("steady", "steady, one call")]
        return min((t for t in times if t is not None), default=None)

    def pipelined(self, size, pinned):
        each_ns = self.rows.median("put", f"steady, pipelined ({size})",
                                   "vitrine", pinned)
        return divide(1e3, each_ns)

    def handover(self, peer, pinned, kind="seal"):
        return self.rows.median("handover", f"{kind} until a get returns",
                                peer, pinned)

    def put_by_ping_pong(self, pinned):
        there_and_back = divide(self.handover("futex", pinned), 0.5)
        return divide(self.put("vitrine", "1 KiB", pinned), there_and_back)

    def handover_by_futex(self, kind, pinned):
        return divide(self.handover("vitrine", pinned, kind),
                      self.handover("futex", pinned))

    def scale(self, row, count=None):
        return self.rows.median(
            "scale", row, f"vitrine, {count or self.objects} objects")

    def per_million_seconds(self, nanoseconds_of_all):
        if nanoseconds_of_all is None:
            return None
        return nanoseconds_of_all / 1e9 * 1e6 / self.objects


# What; the number; the bound; does more or less meet it.
BUDGET = [
    ("get, resident and hot (ns)",
     lambda f: f.program("BM_GetResident"), 150, "at most"),
    ("get, resident: Plasma's time / ours",
     lambda f: divide(f.get("plasma"), f.get("vitrine")), 200, "at least"),
    ("create + 1 KiB + seal, pipelined, unpinned (million a second)",
     lambda f: f.pipelined("1 KiB", False), 1, "at least"),
    ("create + 1 KiB + seal, pipelined, pinned (million a second)",
     lambda f: f.pipelined("1 KiB", True), 1, "at least"),
    ("create + 1 KiB + seal / futex ping-pong, unpinned",
     lambda f: f.put_by_ping_pong(False), 2, "at most"),
    ("create + 1 KiB + seal / futex ping-pong, pinned",
     lambda f: f.put_by_ping_pong(True), 2, "at most"),
    ("put until a sleeping get returns / futex, unpinned",
     lambda f: f.handover_by_futex("put", False), 2, "at most"),
    ("put until a sleeping get returns / futex, pinned",
     lambda f: f.handover_by_futex("put", True), 2, "at most"),
    ("seal of a segment until a sleeping get returns / futex, unpinned",
     lambda f: f.handover_by_futex("seal", False), 2, "at most"),
    ("seal of a segment until a sleeping get returns / futex, pinned",
     lambda f: f.handover_by_futex("seal", True), 2, "at most"),
    ("native put of 256 MiB / memcpy between warm buffers",
     lambda f: divide(f.program("BM_PutLarge", "speed"),
                      f.program("BM_Memcpy", "speed")), 0.90, "at least"),
    ("native put of 256 MiB / the faster way onto bare tmpfs",
     lambda f: divide(f.program("BM_PutLarge", "speed"),
                      best(f.program("BM_WriteTmpfs", "speed"),
                           f.program("BM_MapTmpfs", "speed"))), 0.90,
     "at least"),
    ("native put of 256 MiB: Plasma's time / ours",
     lambda f: divide(f.put("plasma", "256 MiB"),
                      f.put("vitrine", "256 MiB")), 3, "at least"),
    ("open + mmap + read all of 256 MiB / bare tmpfs",
     lambda f: divide(f.program("BM_ReadAllMount", "speed"),
                      f.program("BM_ReadAllTmpfs", "speed")), 0.95,
     "at least"),
    ("cp of 1 GiB into unsealed/ / bare tmpfs",
     lambda f: divide(f.program("BM_CopyMount", "speed"),
                      f.program("BM_CopyTmpfs", "speed")), 0.90, "at least"),
    ("cp of 1 GiB over a file in unsealed/ / bare tmpfs",
     lambda f: divide(f.program("BM_CopyOverMount", "speed"),
                      f.program("BM_CopyOverTmpfs", "speed")), 0.95,
     "at least"),
    ("FUSE requests for each stat of a sealed object",
     lambda f: f.program("BM_StatSealed", "requests_per_stat"), 0, "at most"),
    ("get of the same 1000 among many / among 1000",
     lambda f: divide(f.scale("get of the same 1000 (100 B)"),
                      f.scale("get of the same 1000 (100 B)", 1000)), 2,
     "at most"),
    ("get at random among many / among 1000",
     lambda f: divide(f.scale("get at random of all (100 B)"),
                      f.scale("get at random of all (100 B)", 1000)), 2,
     "at most"),
    ("ls, for a million (s)",
     lambda f: f.per_million_seconds(f.scale("ls")), 3, "at most"),
    ("list by a native client, for a million (s)",
     lambda f: f.per_million_seconds(f.scale("list of all (100 B)")), 3,
     "at most"),
    ("restart after SIGKILL, for a million (s)",
     lambda f: f.per_million_seconds(f.scale("restart after SIGKILL")), 3,
     "at most"),
    ("store memory beyond the data, each (B)",
     lambda f: f.scale("store memory, each (100 B)"), 300, "at most"),
]


def judge(figures):
    """[[what, measured, bound, verdict]]"""
    lines = []
    for name, find, bound, way in BUDGET:
        value = find(figures)
        if value is None:
            lines.append([name, "not run", f"{way} {bound}", ""])
            continue
        met = value <= bound if way == "at most" else value >= bound
        lines.append([name, f"{value:.2f}", f"{way} {bound}",
                      "met" if met else "MISSED"])
    return lines


def text(lines):
    output = [f"{'what':64} {'measured':>10}   budget"]
    output += [f"{name:64} {value:>10}   {bound:14} {verdict}".rstrip()
               for name, value, bound, verdict in lines]
    return "\n".join(output)
