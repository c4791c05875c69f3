#!/usr/bin/env python3
"""Sums the float64 numbers of a file, in place: map_file.py FILE

Nothing here knows of Vitrine: an object in the mount is a file.
"""
import mmap
import sys
import time


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    start = time.monotonic()
    with open(sys.argv[1], "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with memoryview(mapped) as view, view.cast("d") as numbers:
        count, total = len(numbers), sum(numbers)
    rate = len(mapped) / (time.monotonic() - start) / 1e9
    print(f"{count} numbers, sum {total:.0f}, {rate:.2f} GB/s")


if __name__ == "__main__":
    main()
