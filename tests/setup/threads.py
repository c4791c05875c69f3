#!/usr/bin/env python3
"""Compares the threads of a running vitrined with ARCHITECTURE.md's table.

    tests/setup/threads.py BUILD_DIR

Starts BUILD_DIR/bin/vitrined in a scratch directory, once without and once
with a mount, and reads /proc/PID/task/*/comm.  Exit status: 0: the same names
and numbers; 1: they differ, which is printed; 77: no mount is possible here
(where CI=true, that is status 1).
"""
import collections
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ARCHITECTURE = pathlib.Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"
SKIPPED = 77
REFUSED = 2  # vitrined's status when it cannot start.
START_SECONDS = 60
NAMING_SECONDS = 10
STOP_SECONDS = 30

# | `name` | 4 to 16 | with a mount | ...
ROW = re.compile(r"\| `([^`]+)` \| (\d+)(?: to (\d+))? \| ([^|]+) \|")


class CannotStart(Exception):
    """vitrined ended before it was ready; the text says why."""


def read_table(mounted):
    """Name -> (least, most): how many threads the table promises."""
    section = ARCHITECTURE.read_text(encoding="utf-8")
    section = section.split("\n## Threads\n", 1)[1].split("\n## ", 1)[0]
    table = {}
    for name, least, most, exists in ROW.findall(section):
        if exists == "with an external store":
            continue  # The store that is started here has none.
        if exists not in ("always", "with a mount"):
            sys.exit(f"{name}: the table says that it exists '{exists}'")
        if exists == "with a mount" and not mounted:
            continue
        before = table.get(name, (0, 0))
        table[name] = (before[0] + int(least), before[1] + int(most or least))
    if not table:
        sys.exit(f"no thread is in the table of {ARCHITECTURE}")
    return table


def read_threads(pid):
    """Name -> number of threads that run under it."""
    names = collections.Counter()
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            names[(task / "comm").read_text(encoding="utf-8").strip()] += 1
        except FileNotFoundError:
            continue  # It has just ended.
    return names


def find_differences(table, threads):
    for name in sorted(table.keys() | threads.keys()):
        least, most = table.get(name, (0, 0))
        if not least <= threads[name] <= most:
            promised = str(least) if least == most else f"{least} to {most}"
            yield f"{name}: {threads[name]} run, the table says {promised}"


class Store:
    """A vitrined of its own, with all that it needs in scratch directories."""

    def __init__(self, program, mounted):
        self.scratch = tempfile.mkdtemp(prefix="vitrine-threads-")
        self.memory = tempfile.mkdtemp(prefix="vitrine-threads-",
                                       dir="/dev/shm")
        self.mount = os.path.join(self.scratch, "mnt") if mounted else None
        command = [program, "--capacity", "16M",
                   "--memory-dir", self.memory,
                   "--state-dir", os.path.join(self.scratch, "state"),
                   "--socket", os.path.join(self.scratch, "socket")]
        if mounted:
            command += ["--mount", self.mount]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=self.errors)

    def __enter__(self):
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_until_ready(self):
        ready, _, _ = select.select([self.process.stdout], [], [],
                                    START_SECONDS)
        if not ready:
            raise CannotStart(f"not ready within {START_SECONDS} s")
        if not self.process.stdout.readline():
            self.process.wait(STOP_SECONDS)
            self.errors.seek(0)
            text = self.errors.read().decode().strip()
            if self.process.returncode != REFUSED:
                sys.exit(f"vitrined died: {self.process.returncode} {text}")
            raise CannotStart(text)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        if self.mount and os.path.ismount(self.mount):
            subprocess.run(["umount", "-l", self.mount], check=False)
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)


def compare(program, mounted):
    """The differences that remain once all threads had time to name
    themselves."""
    table = read_table(mounted)
    with Store(program, mounted) as store:
        until = time.monotonic() + NAMING_SECONDS
        while True:
            differences = list(
                find_differences(table, read_threads(store.process.pid)))
            if not differences or time.monotonic() > until:
                return differences
            time.sleep(0.02)


def main(arguments):
    if len(arguments) != 1:
        sys.exit(__doc__)
    program = os.path.join(arguments[0], "bin", "vitrined")
    different = False
    for mounted in (False, True):
        try:
            differences = compare(program, mounted)
        except CannotStart as why:
            if not mounted or os.environ.get("CI") == "true":
                sys.exit(f"vitrined does not start: {why}")
            print("skipped, no mount:", why)
            return 1 if different else SKIPPED
        for difference in differences:
            print("with a mount:" if mounted else "without a mount:",
                  difference)
        different = different or bool(differences)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
