"""The stores and file systems that are measured: each runs for as long as its
`with` lasts."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from driver import peers, sandbox


class ServerError(Exception):
    pass


def pin_to(cpus):
    """For preexec_fn; all CPUs if there are none."""
    if not cpus:
        return None
    return lambda: os.sched_setaffinity(0, cpus)


def as_user(uid):
    """For Popen; None: as we are."""
    if uid is None:
        return {}
    return {"user": uid, "group": uid, "extra_groups": []}


def accepts(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def end(process):
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(command, log, ready, cpus=(), environment=None, user=None):
    """Waits until ready() is true; ends the process in the end.  `user`: as
    in as_user()."""
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=output,
            stdin=subprocess.DEVNULL, preexec_fn=pin_to(cpus),
            env=environment, **as_user(user))
        try:
            deadline = time.monotonic() + 20
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    text = pathlib.Path(log).read_text(errors="replace")
                    last = (text.strip().splitlines() or ["it said nothing"])
                    raise ServerError(
                        f"{command[0]} did not start: {last[-1][:300]}")
                time.sleep(0.01)
            yield process
        finally:
            end(process)


class Vitrine:
    """`vitrined`; its catalog lies on the disk.  `kind`: "service", as root
    has it, or "user", as an ordinary user does."""

    NOBODY = 65534

    def __init__(self, build, work, kind):
        self.build = build
        self.work = pathlib.Path(work)
        self.kind = kind
        self.user = self.NOBODY if kind == "user" else None
        self.passthrough = ["--passthrough", "off"] if kind == "user" else []

    def make_directory(self, path):
        path.mkdir()
        if self.user is not None:
            os.chown(path, self.user, self.user)

    @contextlib.contextmanager
    def run(self, capacity, cpus=(), mount=False, options=()):
        directory = self.work / "vitrine"
        shutil.rmtree(directory, ignore_errors=True)
        self.make_directory(directory)
        self.socket = directory / "socket"
        self.mount = directory / "mount"
        command = [self.build / "bin/vitrined", "--socket", self.socket,
                   "--state-dir", directory / "state", "--capacity", capacity,
                   "--log-level", "warning", *options]
        if mount:
            self.make_directory(self.mount)
            command += ["--mount", self.mount, *self.passthrough]
        log = self.work / "vitrined.log"

        def ready():
            # It says in one line that it is.
            return log.exists() and self.socket.exists() and \
                log.read_text(errors="replace").strip() != ""

        with contextlib.ExitStack() as stack:
            def start():
                return stack.enter_context(
                    running(command, log, ready, cpus, user=self.user))

            self.start = start
            self.process = start()
            yield self
        shutil.rmtree(directory, ignore_errors=True)

    def time_restart_ns(self):
        """From a start after a SIGKILL until the store answers."""
        self.process.kill()
        self.process.wait()
        start = time.monotonic_ns()
        self.process = self.start()
        self.status("--wait", "--timeout", "60s")
        return time.monotonic_ns() - start

    def status(self, *options):
        found = subprocess.run(
            [self.build / "bin/vitrine", "--socket", self.socket, "status",
             "--json", *options], capture_output=True, text=True, check=False)
        if found.returncode != 0:
            raise ServerError(f"vitrine status: {found.stderr.strip()}")
        return json.loads(found.stdout)

    def wait_for_catalog(self):
        """Until all that was put is in the database, a minute at most."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            catalog = self.status()["catalog"]
            # The request makes a client, whose row is written.
            if catalog["pending"] < 10 and not catalog["degraded"]:
                return
            time.sleep(0.2)
        raise ServerError("the catalog does not catch up")

    def bytes_for_objects(self):
        """Beyond their data: its own memory, the index and the journal."""
        status = self.status()
        return (self.resident_bytes() + status["index_bytes"] +
                status["journal_bytes"])

    def resident_bytes(self):
        """Without what it shares with its clients."""
        for line in pathlib.Path(
                f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise ServerError("no RssAnon")


@contextlib.contextmanager
def plasma(peer, work, capacity, cpus=()):
    package = peer.directory / "pyarrow"
    path = pathlib.Path(work) / "plasma"
    path.unlink(missing_ok=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(package)}
    with running([package / "plasma-store-server", "-s", path, "-m", capacity],
                 f"{work}/plasma.log", lambda: accepts(path), cpus,
                 environment):
        yield path


@contextlib.contextmanager
def vineyard(peer, work, capacity, cpus=()):
    path = pathlib.Path(work) / "vineyard"
    path.unlink(missing_ok=True)
    with running([peer.directory / "vineyard/bdist/vineyardd",
                  "--meta", "local", "--rpc=false", "--size", capacity,
                  "--socket", path], f"{work}/vineyardd.log",
                 lambda: accepts(path), cpus):
        yield path


@contextlib.contextmanager
def tmpfs(path, huge, size):
    path = pathlib.Path(path)
    path.mkdir(exist_ok=True)
    # As many inodes as there is memory for.
    options = f"size={size},nr_inodes=0" + (f",huge={huge}" if huge else "")
    sandbox.mount("vitrine-benchmarks", path, "tmpfs", 0, options)
    try:
        yield path
    finally:
        sandbox.unmount(path)
        path.rmdir()


@contextlib.contextmanager
def bindfs(peer, work, source, cpus=()):
    """A FUSE file system without passthrough: each byte goes through it."""
    point = pathlib.Path(work) / "bindfs"
    point.mkdir(exist_ok=True)
    with running([peer.directory / "usr/bin/bindfs", "-f", source, point],
                 f"{work}/bindfs.log", lambda: os.path.ismount(point), cpus,
                 peers.library_environment(peer)):
        try:
            yield point
        finally:
            with contextlib.suppress(OSError):
                sandbox.unmount(point)
    point.rmdir()
