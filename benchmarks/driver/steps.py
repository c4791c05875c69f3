"""The table of creating by steps (create, write, seal) against putting in one
call, by size."""
from driver import rows as found_rows

STEPS, CALL = "steady", "steady, one call"


def sizes_of(rows):
    return sorted({result["size_bytes"]
                   for (workload, _), peers in rows.rows.items()
                   if workload == "put"
                   for modes in peers.values() for result in modes.values()})


def peers_of(rows):
    """Those that have both ways at some size; Vitrine comes first."""
    found = dict.fromkeys(
        peer for (workload, row), peers in rows.rows.items()
        if workload == "put" and row.startswith(f"{CALL} (")
        for peer in peers)
    return sorted(found, key=lambda peer: peer != "vitrine")


def cell(nanoseconds):
    return "" if nanoseconds is None else \
        found_rows.human_value(nanoseconds, "ns")


def times(rows, size, peer):
    return [rows.median("put", f"{way} ({found_rows.human_bytes(size)})",
                        peer) for way in (STEPS, CALL)]


def ratio(by_steps, in_one_call):
    if by_steps is None or not in_one_call:
        return ""
    return f"{found_rows.three_digits(by_steps / in_one_call)} ×"


def header(peers):
    names = ["size"]
    for peer in peers:
        names += [f"{peer}, by steps", f"{peer}, one call", "steps / call"]
    return names


def table(rows):
    """[[cell]], its header first; empty if nothing was measured."""
    peers = peers_of(rows)
    if not peers:
        return []
    lines = [header(peers)]
    for size in sizes_of(rows):
        line = [found_rows.human_bytes(size)]
        for peer in peers:
            found = times(rows, size, peer)
            line += [*map(cell, found), ratio(*found)]
        lines.append(line)
    return lines
