"""The least that a row can take: the sum of what it cannot do without, each
part measured in the same run on the same machine."""
import typing

from driver.rows import human_value, three_digits

TITLE = "Rows that miss, and their floors"
NOTES = """\
The floor of a row is the sum of what it cannot do without; each part was
measured in this run, on this machine (Parts of the floors).  Times the floor:
1 is the least that this design can take; the floor of a rate is the most.

* From 128 KiB on an object has a file.  Its put waits for two wake-ups, of the
  store and of the client; the eight system calls of a seal are the least part.
* A store between sealer and getter is one wake-up more than a futex has.  The
  kernel may let two processes share a CPU, or wake the one on another CPU,
  which the parts show to cost more.
* A cp waits for five round trips to the mount for a new file, and for eight
  over one that is there.  Beside many megabytes they do not show.
* Objects below 2 MiB have small pages in an ordinary user's store.  Producer
  and consumer set up and take down an entry for each 4 KiB of each object; Plasma
  maps all of its memory once."""
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
    store: str  # The kind of store that it is for.
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

# With small pages another of the client's threads takes longer than all that:
# the one that maps the next blanks.
PUT_MIB_SMALL_PAGES = (part("map for writing (1 MiB)"),)

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


def put_mib(name, case, other):
    # Both have one way only, which is called this.
    other_row = "steady (1 MiB)"
    return [Floor(name, "put", f"{case} (1 MiB)", other, other_row, terms,
                  store)
            for store, terms in (("service", PUT_MIB),
                                 ("user", PUT_MIB_SMALL_PAGES))]


def seal_handover():
    row = "seal until a get returns"
    return [Floor("seal until a sleeping get returns", "handover", row,
                  "futex", row, HANDOVER, store)
            for store in ("service", "user")]


def copy(case, size, round_trips):
    row = f"{case} ({size})"
    return Floor(f"{case}, {size}", "files", row, "bare tmpfs", row,
                 (Term(1, "files", row, "bare tmpfs"),
                  part("FUSE round trip", round_trips)), "service")


def crowd(pairs):
    row = f"objects sealed ({pairs} pairs)"
    return Floor(f"crowd of {pairs} pairs, objects a second", "crowd", row,
                 "plasma", row, CROWD, "user", is_rate=True)


FLOORS = [
    *put_mib("put of 1 MiB, one call", "steady, one call", "memcpy"),
    *put_mib("create + write + seal of 1 MiB", "steady", "plasma"),
    *seal_handover(),
    # A cp of a new file waits for five requests, one over a file for eight.
    # Without passthrough each byte goes through the store, which is no floor.
    *(copy(case, size, round_trips)
      for size in ("16 MiB", "4 GiB")
      for case, round_trips in (("cp in", 5), ("cp over", 8))),
    # A service's crowds have larger pages.
    *map(crowd, (2, 4, 8)),
]


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
             if floor.store == store]
    lines = [found for found in lines if found]
    return [HEADER] + lines if lines else []
