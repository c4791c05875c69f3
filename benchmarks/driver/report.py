"""All tables of what was found, as text and as Markdown, and the budget."""
from driver import floors, steps
from driver.rows import human_value, three_digits

# Rows of one workload appear in the order in which they were measured; those
# of a peer of its own beside it.
TITLES = {
    "get": "Get",
    "put": "Create + write + seal",
    "handover": "Hand-over",
    "crowd": "Producers and consumers, more data than fits",
    "files": "Plain files",
    "scale": "Many objects",
    "floors": "Parts of the floors",
}
STEPS_TITLE = "Create by steps against put in one call, steady, unpinned"
STORES = {"service": "", "user": ": an ordinary user's store"}


def spread(summary):
    if summary["median"] == 0:
        return ""
    share = (summary["high"] - summary["low"]) / 2 / summary["median"]
    return f"±{100 * share:.0f}%"


def rate(result, median):
    """GB/s, where it says something."""
    if result["unit"] != "ns" or result["size_bytes"] < 16384:
        return ""
    if result["workload"] not in ("put", "files"):
        return ""
    return f"{three_digits(result['size_bytes'] / median)} GB/s"


def cells(result):
    if result is None:
        return ["", ""]
    return [human_value(result["median"], result["unit"]), spread(result)]


def reference_for(peer, peers):
    """The peer whose figure this one's is divided by: Vitrine, which comes
    first; for others with many objects, Vitrine with as many."""
    first = next(iter(peers))
    if not first.startswith("vitrine"):
        return None
    _, comma, objects = peer.partition(", ")
    as_many = f"vitrine{comma}{objects}"
    return first if peer.startswith("vitrine") or as_many not in peers \
        else as_many


def compared(by_mode, vitrine):
    """How many times Vitrine's figure this is, in the unpinned run."""
    mine, theirs = vitrine.get(False), by_mode.get(False)
    if by_mode is vitrine or not mine or not theirs or not mine["median"]:
        return ""
    return f"{three_digits(theirs['median'] / mine['median'])} ×"


HEADER = ["what", "peer", "unpinned", "", "pinned", "", "rate",
          "to vitrine"]


def row_lines(row, peers):
    """The first of a row's lines has its name."""
    for peer, by_mode in peers.items():
        result = by_mode.get(False) or by_mode.get(True)
        yield [row, peer, *cells(by_mode.get(False)),
               *cells(by_mode.get(True)), rate(result, result["median"]),
               compared(by_mode, peers.get(reference_for(peer, peers), {}))]
        row = ""


def table(rows):
    """{workload: [[cell]]}"""
    sections = {}
    for (workload, row), peers in rows.rows.items():
        sections.setdefault(workload, []).extend(row_lines(row, peers))
    return sections


def sections_of(rows, store):
    """[(title, how many columns are words, [[cell]], the header first)]"""
    found = []
    for workload, lines in table(rows).items():
        title = TITLES.get(workload, workload) + STORES[store]
        found.append((title, 2, [HEADER] + lines))
        by_steps = steps.table(rows) if workload == "put" else []
        if by_steps:
            found.append((STEPS_TITLE + STORES[store], 1, by_steps))
    return found


def floor_tables(by_store, cpus):
    """[(title, how many columns are words, [[cell]])]"""
    found = []
    for store, rows in by_store.items():
        lines = floors.table(rows, store, cpus)
        if lines:
            found.append((floors.TITLE + STORES[store], 2, lines))
    return found


def text_lines(words, lines):
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        parts = [cell.ljust(width) if i < words else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        yield "  ".join(parts).rstrip()


def text_tables(rows, store):
    output = []
    for title, words, lines in sections_of(rows, store):
        output += ["", f"-- {title}", *text_lines(words, lines)]
    return "\n".join(output)


def markdown_lines(words, lines):
    yield "| " + " | ".join(lines[0]) + " |"
    yield "|" + "---|" * words + "---:|" * (len(lines[0]) - words)
    for line in lines[1:]:
        yield "| " + " | ".join(line) + " |"


def markdown_tables(rows, store):
    output = []
    for title, words, lines in sections_of(rows, store):
        output += [f"## {title}", "", *markdown_lines(words, lines), ""]
    return output


def interpreter_costs(rows):
    """What Python adds, where a peer is measured from C++ too."""
    lines = []
    for (workload, row), peers in rows.rows.items():
        if not row.endswith("(1 KiB)") or (
                workload != "get" and row != "steady (1 KiB)"):
            continue
        for peer, by_mode in peers.items():
            there = peers.get(f"{peer} (Python)", {}).get(False)
            here = by_mode.get(False)
            if here and there:
                lines.append(
                    f"{workload}, {row}: {peer}: "
                    f"{human_value(here['median'], here['unit'])} from C++, "
                    f"{human_value(there['median'], here['unit'])} from "
                    "Python")
    return lines


def describe_machine(machine):
    kind = "virtual machine" if machine["virtual"] else "machine"
    return [
        f"{machine['date']}; code {machine['code']}",
        f"{kind}: {machine['cpus']} CPUs ({machine['cpu']}), "
        f"{machine['memory_gib']} GiB, frequency governor "
        f"{machine['governor']}; load {machine['load_at_start']:.1f} at the "
        f"start, {machine['load_at_end']:.1f} at the end",
        f"kernel {machine['kernel']}, {machine['system']}, Python "
        f"{machine['python']}",
    ]


def describe_stores(stores):
    return [f"store of a {name}: tmpfs pages: huge={store['huge']}; "
            f"mount: {store['mount']}" for name, store in stores.items()]


def text(data, by_store):
    lines = describe_machine(data["machine"]) + describe_stores(data["stores"])
    lines += ["", NOTES]
    lines += [text_tables(rows, store) for store, rows in by_store.items()]
    for title, words, found in floor_tables(by_store, data["machine"]["cpus"]):
        lines += ["", f"-- {title}", *text_lines(words, found)]
    first = next(iter(by_store.values()))
    lines += ["", "What the interpreter costs:", *interpreter_costs(first), ""]
    lines += [f"not measured: {entry['workload']}: {entry['peer']}: "
              f"{entry['reason']}" for entry in data["not_measured"]]
    return "\n".join(lines)


NOTES = """\
Each figure is the median of the repetitions, beside it half the width of
their middle half.  Pinned: the server on the first CPU, clients on the others
in turn; with two CPUs the second client shares the server's.  To vitrine: the
unpinned median divided by that of Vitrine (of many objects: Vitrine's by that
with 1000, another's by Vitrine's with as many); more is worse for times and
better for rates.  (Python): from the peer's Python client; what the
interpreter costs is seen where a peer is measured from both."""


def list_of(title, lines):
    return [f"## {title}", "", *(f"- {line}" for line in lines), ""] \
        if lines else []


def not_measured(entries):
    if not entries:
        return []
    lines = [["what", "peer", "why"]]
    lines += [[entry["workload"], entry["peer"], entry["reason"]]
              for entry in entries]
    return ["## Not measured", "", *markdown_lines(3, lines), ""]


def preamble(data):
    lines = ["# Results of the benchmarks", ""]
    lines += [f"- {line}" for line in describe_machine(data["machine"])]
    lines += [f"- {line}" for line in describe_stores(data["stores"])]
    lines += [f"- command: `{data['command']}`, "
              f"{data['seconds_in_all']:.0f} s", "", NOTES, ""]
    if data["quick"]:
        lines += ["**A quick run: the figures are worth nothing.**", ""]
    return lines


def markdown(data, by_store, pictures):
    """`by_store`: {kind of store: Rows}; `pictures`: paths of files."""
    lines = preamble(data) + ["## Budget", ""]
    lines += ["| what | measured | budget | |", "|---|---:|---:|---|"]
    lines += ["| " + " | ".join(line) + " |" for line in data["budget"]]
    lines.append("")
    for i, (title, words, found) in enumerate(
            floor_tables(by_store, data["machine"]["cpus"])):
        lines += [f"## {title}", ""]
        lines += [floors.NOTES, ""] if i == 0 else []
        lines += [*markdown_lines(words, found), ""]
    lines += [f"![{path.stem}]({path})" for path in pictures]
    lines.append("")
    for store, rows in by_store.items():
        lines += markdown_tables(rows, store)
    first = next(iter(by_store.values()))
    lines += list_of("What the interpreter costs", interpreter_costs(first))
    lines += not_measured(data["not_measured"])
    lines += list_of("Peers", [f"{name}: {version}" for name, version in
                               data["peers"].items()])
    return "\n".join(lines).rstrip() + "\n"
