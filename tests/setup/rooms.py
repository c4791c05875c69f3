#!/usr/bin/env python3
"""Draws who includes whom, from the sources: rooms, arrows, and what is wrong.

    tests/setup/rooms.py [--check] [DIR]

A room is a folder with C++ sources; an arrow goes from a room to one whose
headers it includes.  DIR is the checkout (default: this one).  --check: exit
status 1 if rooms include each other in a circle, or if an arrow is not one of
ALLOWED.
"""
import pathlib
import re
import sys

SOURCES = (".h", ".cc")
HOUSES = ("schema", "store", "fusefs", "client")

# Room: the rooms that it may include, which are all above it.  ARCHITECTURE.md says what each is for.
ALLOWED = {
    "schema/base": "",
    "schema": "schema/base",
    "schema/machine": "schema schema/base",
    "schema/sqlite": "schema schema/base",
    "store/metrics": "",
    "store/accounts": "schema schema/base store/metrics",
    "store/base": "schema schema/base store/accounts store/metrics",
    "store/host": "schema schema/base schema/machine store/base",
    "store/segments": "schema schema/base schema/machine store/accounts store/base"
                      " store/host",
    "store/index": "schema schema/base store/base store/metrics",
    "store/journal": "schema schema/base store/base",
    "store/catalog": "schema schema/base schema/sqlite store/base"
                     " store/metrics",
    "store/table": "schema schema/base store/accounts store/base store/segments store/index"
                   " store/journal",
    "store/tiers": "schema schema/base store/base store/metrics store/segments store/journal store/table",
    "store/keepers": "schema schema/base schema/machine store/accounts store/base store/catalog store/index"
                     " store/segments store/table store/tiers",
    "store/roles": "schema schema/base store/accounts store/base store/host store/catalog"
                   " store/index store/segments store/table store/keepers"
                   " store/tiers store/metrics",
    "store": "schema schema/base store/accounts store/base store/index store/journal"
             " store/table store/tiers store/roles",
    "store/server": "schema schema/base store store/accounts store/base store/host store/metrics"
                    " store/index store/catalog",
    "fusefs/base": "store store/accounts store/base store/metrics",
    "fusefs/kernel": "fusefs/base schema schema/base schema/machine",
    "fusefs/files": "fusefs/base fusefs/kernel schema schema/base"
                    " schema/machine store store/accounts store/segments",
    "fusefs": "fusefs/base fusefs/kernel fusefs/files schema schema/base"
              " store store/accounts store/base store/host store/server",
    "client/base": "schema schema/base",
    "client/calls": "client/base schema schema/base",
    "client/index": "client/base schema schema/base",
    "client/ring": "client/base client/calls schema schema/base",
    "client": "client/base client/calls client/index client/ring schema"
              " schema/base",
    "client/tools": "schema schema/base schema/machine schema/sqlite",
    "client/examples": "",
}


def included(source, root):
    """The folders of the project's headers that `source` includes."""
    for name in re.findall(r'^\s*#\s*include "([^"]+)"',
                           source.read_text(encoding="utf-8"), re.MULTILINE):
        if (root / name).is_file():
            yield str(pathlib.PurePath(name).parent)


def find_arrows(root):
    """Room -> {room that it includes: number of such lines}."""
    arrows = {}
    for house in HOUSES:
        for source in sorted((root / house).rglob("*")):
            if source.suffix not in SOURCES or "include" in source.parts:
                continue
            room = str(source.parent.relative_to(root))
            lines = arrows.setdefault(room, {})
            for other in included(source, root):
                if other != room:
                    lines[other] = lines.get(other, 0) + 1
    return arrows


def find_circle(arrows):
    """Rooms that include each other, or None."""
    done, path = set(), []

    def visit(room):
        if room in path:
            return path[path.index(room):] + [room]
        if room in done:
            return None
        path.append(room)
        for other in arrows.get(room, {}):
            circle = visit(other)
            if circle:
                return circle
        path.pop()
        done.add(room)
        return None

    for room in arrows:
        circle = visit(room)
        if circle:
            return circle
    return None


def find_faults(arrows):
    circle = find_circle(arrows)
    if circle:
        yield "a circle: " + " -> ".join(circle)
    order = list(ALLOWED)
    for room, allowed in ALLOWED.items():
        for other in allowed.split():
            if order.index(other) > order.index(room):
                yield f"ALLOWED: {other} does not stand above {room}"
    for room, others in arrows.items():
        if room not in ALLOWED:
            yield f"{room} is not in ALLOWED: say what it may include"
            continue
        for other in sorted(others.keys() - ALLOWED[room].split()):
            yield f"{room} must not include {other}"


def main(arguments):
    check = "--check" in arguments
    places = [word for word in arguments if word != "--check"]
    root = pathlib.Path(places[0] if places else __file__).resolve()
    if not places:
        root = root.parents[2]
    arrows = find_arrows(root)
    for room, others in arrows.items():
        print(f"{room}: " + ", ".join(
            f"{other} ({lines})" for other, lines in sorted(others.items())))
    print(f"{len(arrows)} rooms, {sum(map(len, arrows.values()))} arrows")
    faults = list(find_faults(arrows)) if check else []
    for fault in faults:
        print("wrong:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
