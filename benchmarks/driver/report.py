"""One table of all that was found, as text and as Markdown, and the budget."""
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
}


def spread(summary):
    if summary["median"] == 0:
        return ""
    share = (summary["high"] - summary["low"]) / 2 / summary["median"]
    return f"±{100 * share:.0f}%"


def rate(result, median):
    """GB/s, where it says something."""
    if result["unit"] != "ns" or result["size_bytes"] < 65536:
        return ""
    if result["workload"] not in ("put", "files"):
        return ""
    return f"{three_digits(result['size_bytes'] / median)} GB/s"


def cells(result):
    if result is None:
        return ["", ""]
    return [human_value(result["median"], result["unit"]), spread(result)]


def compared(by_mode, vitrine):
    """How many times Vitrine's figure this is, in the unpinned run."""
    mine, theirs = vitrine.get(False), by_mode.get(False)
    if by_mode is vitrine or not mine or not theirs or not mine["median"]:
        return ""
    return f"{three_digits(theirs['median'] / mine['median'])} ×"


HEADER = ["what", "peer", "unpinned", "", "pinned", "", "rate",
          "to vitrine"]


def table(rows):
    """[(title, [[cell]])]"""
    sections = {}
    for (workload, row), peers in rows.rows.items():
        lines = sections.setdefault(TITLES.get(workload, workload), [])
        # Vitrine comes first; with many objects beside itself with few.
        first = next(iter(peers))
        vitrine = peers[first] if first.startswith("vitrine") else {}
        name = row
        for peer, by_mode in peers.items():
            result = by_mode.get(False) or by_mode.get(True)
            lines.append([name, peer, *cells(by_mode.get(False)),
                          *cells(by_mode.get(True)),
                          rate(result, result["median"]),
                          compared(by_mode, vitrine)])
            name = ""
    return list(sections.items())


def text_table(rows):
    sections = table(rows)
    lines = [HEADER] + [line for _, part in sections for line in part]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]

    def format_line(line):
        left = [line[i].ljust(widths[i]) for i in (0, 1)]
        right = [line[i].rjust(widths[i]) for i in range(2, len(line))]
        return "  ".join(left + right).rstrip()

    output = [format_line(HEADER)]
    for title, part in sections:
        output += ["", f"-- {title}"] + [format_line(line) for line in part]
    return "\n".join(output)


def markdown_table(rows):
    output = []
    for title, part in table(rows):
        output += [f"## {title}", "", "| " + " | ".join(HEADER) + " |",
                   "|" + "---|" * 2 + "---:|" * (len(HEADER) - 2)]
        output += ["| " + " | ".join(line) + " |" for line in part] + [""]
    return "\n".join(output)


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
        f"{machine['python']}; tmpfs pages: huge={machine['bare_huge']}; "
        f"mount: {machine['mount_mode']}",
    ]


NOTES = """\
Each figure is the median of the repetitions, beside it half the width of
their middle half.  Pinned: the server on the first CPU, clients on the others
in turn; with two CPUs the second client shares the server's.  To vitrine: the
unpinned median divided by that of Vitrine (with many objects, by that with
1000); more is worse for times and better for rates.  (Python): from the
peer's Python client; what the interpreter costs is seen where a peer is
measured from both."""


def markdown(data, rows, budget_lines, pictures):
    """`pictures`: paths of files."""
    lines = ["# Results of the benchmarks", ""]
    lines += [f"- {line}" for line in describe_machine(data["machine"])]
    lines += [f"- command: `{data['command']}`, "
              f"{data['seconds_in_all']:.0f} s", "", NOTES, ""]
    if data["quick"]:
        lines += ["**A quick run: the figures are worth nothing.**", ""]
    lines += ["## Budget", "", "| what | measured | budget | |",
              "|---|---:|---:|---|"]
    lines += ["| " + " | ".join(line) + " |" for line in budget_lines]
    lines.append("")
    lines += [f"![{path.stem}]({path})" for path in pictures]
    lines += ["", markdown_table(rows)]
    costs = interpreter_costs(rows)
    if costs:
        lines += ["## What the interpreter costs", ""]
        lines += [f"- {cost}" for cost in costs] + [""]
    if data["not_measured"]:
        lines += ["## Not measured", "", "| what | peer | why |",
                  "|---|---|---|"]
        lines += [f"| {entry['workload']} | {entry['peer']} | "
                  f"{entry['reason']} |" for entry in data["not_measured"]]
        lines.append("")
    lines += ["## Peers", ""]
    lines += [f"- {name}: {version}" for name, version in
              data["peers"].items()]
    return "\n".join(lines) + "\n"
