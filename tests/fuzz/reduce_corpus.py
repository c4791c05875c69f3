#!/usr/bin/env python3
"""Chooses a few inputs that together run all the code that many inputs run.

    tests/fuzz/reduce_corpus.py FUZZER FROM TO [MOST]

FUZZER is a program of a build with VITRINE_FUZZ, FROM and TO are directories of
inputs.  TO gets those of FROM that add code to what it runs already, until it
has MOST (100) of them; none has more than 4 KiB.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

MOST_BYTES = 4096


def coverage(fuzzer, inputs):
    """For each file of the directory `inputs`: the set of what it runs."""
    with tempfile.TemporaryDirectory() as scratch:
        empty = pathlib.Path(scratch, "empty")
        empty.mkdir()
        control = pathlib.Path(scratch, "control")
        subprocess.run([fuzzer, "-merge=1", f"-merge_control_file={control}",
                        empty, inputs],
                       check=True, stderr=subprocess.DEVNULL)
        lines = control.read_text(encoding="utf-8").splitlines()
    count = int(lines[0])
    files = lines[2:2 + count]
    runs = {}
    for line in lines[2 + count:]:
        words = line.split()
        if words[0] == "COV":
            runs[pathlib.Path(files[int(words[1])])] = set(words[2:])
    return runs


def main(fuzzer, source, target, most=100):
    target = pathlib.Path(target)
    target.mkdir(parents=True, exist_ok=True)
    covered = set()
    if any(target.iterdir()):
        covered.update(*coverage(fuzzer, target).values())
    left = {file: edges for file, edges in coverage(fuzzer, source).items()
            if file.stat().st_size <= MOST_BYTES}
    while left and len(list(target.iterdir())) < int(most):
        best = max(left, key=lambda file: (len(left[file] - covered),
                                           -file.stat().st_size))
        if not left[best] - covered:
            break
        covered |= left.pop(best)
        shutil.copyfile(best, target / best.name)
    print(f"{target}: {len(list(target.iterdir()))} inputs")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
