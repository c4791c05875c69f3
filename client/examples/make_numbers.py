#!/usr/bin/env python3
"""Writes the float64 numbers 0, 1, 2 ... COUNT-1: make_numbers.py COUNT FILE"""
import array
import os
import sys

CHUNK = 1 << 20


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    count, path = int(sys.argv[1]), sys.argv[2]
    unfinished = path + ".part"
    with open(unfinished, "wb") as file:
        for first in range(0, count, CHUNK):
            last = min(first + CHUNK, count)
            array.array("d", range(first, last)).tofile(file)
            if sys.stderr.isatty():
                print(f"\r   {100 * last // count} %", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r        \r", end="", file=sys.stderr)
    os.replace(unfinished, path)


if __name__ == "__main__":
    main()
