"""Installs the peers into the build directory, never into the system.

A peer that cannot be had is reported with the reason and not measured.
"""
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

from driver import commands

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "peers"

# The packages that pip installs for each peer, and what is there afterwards.
# lazy-import, which vineyard wants, has no wheel.
PACKAGES = {
    "plasma": (["pyarrow==11.0.0", "numpy<2"],
               "pyarrow/plasma-store-server"),
    "vineyard": (["--no-binary", "lazy-import", "vineyard==0.24.2"],
                 "vineyard/bdist/vineyardd"),
    "iceoryx2": (["iceoryx2==0.10.0"], "iceoryx2/__init__.py"),
}


@dataclasses.dataclass
class Peer:
    """Where it is, or why it is not measured."""
    name: str
    directory: pathlib.Path
    version: str = ""
    missing: str = ""


class Failure(Exception):
    pass


def run(command, log, timeout_s):
    """Raises Failure with the last line that says something."""
    with open(log, "w", encoding="utf-8") as output:
        try:
            status = commands.run(command, timeout_s, stdout=output,
                                  stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            raise Failure(f"{command[0]} took more than {timeout_s} s")
        except OSError as error:
            raise Failure(str(error))
    if status != 0:
        lines = pathlib.Path(log).read_text(errors="replace").splitlines()
        errors = [line for line in lines if "rror" in line] or lines or ["?"]
        raise Failure(errors[-1].strip()[:300])


class Installer:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.venv = self.directory / "venv"
        self.python = self.venv / "bin" / "python3"
        self.directory.mkdir(parents=True, exist_ok=True)

    def make_venv(self):
        """Has pip; the peers lie beside it, each with what it needs."""
        done = self.venv / "done"
        if not done.exists():
            run([sys.executable, "-m", "venv", "--clear", self.venv],
                self.directory / "venv.log", 120)
            done.touch()

    def install(self, name):
        packages, product = PACKAGES[name]
        target = self.directory / name
        peer = Peer(name, target)
        stamp = target / "installed"
        wanted = " ".join(packages)
        try:
            if not stamp.exists() or stamp.read_text() != wanted:
                self.make_venv()
                shutil.rmtree(target, ignore_errors=True)
                run([self.python, "-m", "pip", "install", "--quiet",
                     "--disable-pip-version-check", "--only-binary=:all:",
                     "--target", target, *packages],
                    self.directory / f"{name}.log", 300)
                if not (target / product).exists():
                    raise Failure(f"the package has no {product}")
                stamp.write_text(wanted)
            peer.version = packages[-1 if name != "plasma" else 0]
        except Failure as failure:
            peer.missing = f"cannot be installed: {failure}"
        return peer

    def install_bindfs(self):
        """The Debian packages of it and its library, unpacked here."""
        peer = Peer("bindfs", self.directory / "bindfs")
        try:
            stamp = peer.directory / "installed"
            if not stamp.exists():
                shutil.rmtree(peer.directory, ignore_errors=True)
                for package in self.download("bindfs", "libfuse2"):
                    run(["dpkg-deb", "-x", package, peer.directory],
                        self.directory / "bindfs.log", 60)
                stamp.touch()
            version = subprocess.run(
                [peer.directory / "usr/bin/bindfs", "--version"], text=True,
                capture_output=True, check=False,
                env=library_environment(peer))
            if version.returncode != 0:
                raise Failure(version.stderr.strip())
            peer.version = version.stdout.splitlines()[0]
        except (Failure, OSError) as failure:
            peer.missing = f"cannot be installed: {failure}"
        return peer

    def download(self, *packages):
        """The files of Debian packages."""
        directory = self.directory / "packages"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        # apt-get writes as a user of its own if it can.
        directory.chmod(0o777)
        run(["env", "-C", directory, "apt-get", "download", *packages],
            self.directory / "apt.log", 120)
        found = list(directory.glob("*.deb"))
        if len(found) != len(packages):
            raise Failure("apt-get left no package")
        return found

    def build_plasma_client(self, peer):
        """The workloads against Plasma in C++; returns the program."""
        build = self.directory / "build"
        run(["cmake", "-S", SOURCES, "-B", build, "-G", "Ninja",
             f"-DPLASMA_DIR={peer.directory}/pyarrow"],
            self.directory / "plasma-build.log", 60)
        run(["cmake", "--build", build], self.directory / "plasma-build.log",
            300)
        return build / "plasma_workloads"


def python_environment(peer):
    """To run a Python program that imports the peer."""
    return {**os.environ, "PYTHONPATH": str(peer.directory),
            "PYTHONWARNINGS": "ignore"}


def library_environment(peer):
    """To run a program of Debian packages that were unpacked there."""
    folders = {str(path.parent) for path in peer.directory.rglob("*.so.*")}
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(folders))}
