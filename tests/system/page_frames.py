#!/usr/bin/env python3
"""Maps a file with nothing but the standard library and writes the physical
frame number of each of its pages to standard output, eight bytes each.

    page_frames.py FILE
"""
import array
import mmap
import os
import sys

PRESENT = 1 << 63
FRAME = (1 << 55) - 1


def address_of(size):
    """Where the only shared, read-only mapping of this size is."""
    pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, mode = line.split()[:2]
            first, end = (int(word, 16) for word in span.split("-"))
            if mode == "r--s" and end - first == pages:
                return first
    sys.exit("the mapping is not to be found")


def main():
    with open(sys.argv[1], "rb") as file:
        size = os.fstat(file.fileno()).st_size
        view = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
    for at in range(0, size, mmap.PAGESIZE):
        view[at]
    count = -(-size // mmap.PAGESIZE)
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        pagemap.seek(address_of(size) // mmap.PAGESIZE * 8)
        entries = array.array("Q", pagemap.read(count * 8))
    frames = array.array("Q", (e & FRAME if e & PRESENT else 0 for e in entries))
    sys.stdout.buffer.write(frames.tobytes())


main()
