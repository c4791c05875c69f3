"""The least that a row can take: the sum of what it cannot do without, each
part measured in the same run on the same machine."""
import typing

from driver.rows import human_value, three_digits

TITLE = "Rows that miss, and their floors"
MACHINE = "this machine"  # The peer of the parts.


class Term(typing.NamedTuple):
    times: float
    workload: str
    row: str
    peer: str


class Floor(typing.NamedTuple):
    name: str
    workload: str
    row: str
    other: str  # The peer to beat.
    other_row: str
    terms: typing.Sequence[Term]
    # A rate: the terms are CPU time for each object, and all CPUs work.
    is_rate: bool = False


def part(row, times=1):
    return Term(times, "floors", row, MACHINE)


# The client copies, unmaps and wakes the store, which seals and wakes the
# client.  The next blanks are made and mapped meanwhile.
PUT_MIB = (part("copy into memory in turn (1 MiB)"), part("unmap (1 MiB)"),
           part("wake-up by an eventfd"),
           part("system calls of a seal"),
           part("wake-up by a futex"))

# A small object: no segment, but a record in the journal.
HANDOVER = (part("wake-up by an eventfd"),
            part("one of them: pwrite of 200 B"),
            part("wake-up by a futex"))

# Three of ten objects have a segment; those of 256 KiB and 1 MiB have small
# pages for an ordinary user, which each side maps.
CROWD = (part("bytes of a crowd's object, all CPUs"),
         part("system calls of a seal", 0.3),
         *(part(f"{what} ({size})", 0.1)
           for size in ("256 KiB", "1 MiB")
           for what in ("map for writing", "unmap", "map, read, unmap")))


def put_mib(name, case):
    other_case = "steady, one call" if case != "steady" else "steady"
    peer = "file on tmpfs" if case != "steady" else "plasma"
    return Floor(name, "put", f"{case} (1 MiB)", peer,
                 f"{other_case} (1 MiB)", PUT_MIB)


def copy(case, size, round_trips):
    row = f"{case} ({size})"
    return Floor(f"{case}, {size}", "files", row, "bare tmpfs", row,
                 (Term(1, "files", row, "bare tmpfs"),
                  part("FUSE round trip", round_trips)))


def crowd(pairs):
    row = f"objects sealed ({pairs} pairs)"
    return Floor(f"crowd of {pairs} pairs, objects a second", "crowd", row,
                 "plasma", row, CROWD, is_rate=True)


FLOORS = [
    put_mib("put of 1 MiB, one call", "steady, one call"),
    put_mib("create + write + seal of 1 MiB", "steady"),
    Floor("seal until a sleeping get returns", "handover",
          "seal until a get returns", "futex", "seal until a get returns",
          HANDOVER),
    # A cp of a new file waits for five requests, one over a file for eight.
    *(copy(case, size, round_trips)
      for size in ("16 MiB", "4 GiB")
      for case, round_trips in (("cp in", 5), ("cp over", 8))),
    *map(crowd, (2, 4, 8)),
]
# Without passthrough each byte goes through the store, which has no such floor.
NEED_PASSTHROUGH = ("files",)
# A service's crowds have huge pages.
NEED_SMALL_PAGES = ("crowd",)


def is_for(floor, store):
    return floor.workload not in (
        NEED_SMALL_PAGES if store == "service" else NEED_PASSTHROUGH)


def terms_in_words(floor, values):
    parts = []
    for term, value in zip(floor.terms, values):
        times = "" if term.times == 1 else f"{term.times:g} × "
        name = f"{term.peer}'s {term.row}" if term.peer != MACHINE else \
            term.row.removeprefix("one of them: ")
        parts.append(f"{times}{name} {human_value(value, 'ns')}")
    return " + ".join(parts)


def written(value, is_rate):
    if value is None:
        return ""
    return f"{three_digits(value)} 1/s" if is_rate else \
        human_value(value, "ns")


def line(floor, rows, cpus):
    """[cell]; None: something of it was not measured."""
    values = [rows.median(term.workload, term.row, term.peer)
              for term in floor.terms]
    mine = rows.median(floor.workload, floor.row, "vitrine")
    if mine is None or None in values:
        return None
    least_ns = sum(term.times * value
                   for term, value in zip(floor.terms, values))
    least = cpus * 1e9 / least_ns if floor.is_rate else least_ns
    other = rows.median(floor.workload, floor.other_row, floor.other)
    ratio = least / mine if floor.is_rate else mine / least
    return [floor.name, terms_in_words(floor, values),
            written(least, floor.is_rate), written(mine, floor.is_rate),
            f"{three_digits(ratio)} ×", floor.other if other else "",
            written(other, floor.is_rate)]


HEADER = ["what", "the floor is", "floor", "vitrine", "times the floor",
          "beside", ""]


def table(rows, store, cpus):
    """[[cell]], its header first; empty if nothing was measured."""
    lines = [line(floor, rows, cpus) for floor in FLOORS
             if is_for(floor, store)]
    lines = [found for found in lines if found]
    return [HEADER] + lines if lines else []
