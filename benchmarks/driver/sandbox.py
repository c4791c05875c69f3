"""Namespaces for a run, so that it leaves nothing behind however it ends.

The measuring process is the first of a PID namespace and lives in a mount
namespace: when it dies, the kernel ends all that it started and takes away all
that was mounted.  /dev/shm is a tmpfs of its own there, with the options of
the machine's.
"""
import ctypes
import os
import signal
import sys
import traceback

from driver import commands

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_BIND = 1 << 12
MS_REC = 1 << 14
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind=None, flags=0, options=None):
    def encoded(text):
        return None if text is None else str(text).encode()

    check(libc.mount(encoded(source), encoded(target), encoded(kind),
                     ctypes.c_ulong(flags), encoded(options)),
          f"mount {kind or source} on {target}")


def unmount(target):
    check(libc.umount2(str(target).encode(), MNT_DETACH), f"umount {target}")


def mount_of(path):
    """(type, options) of the file system on which `path` is."""
    found, longest = ("", ""), -1
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, point, kind, options = line.split()[:4]
            inside = (str(path) + "/").startswith(point.rstrip("/") + "/")
            if inside and len(point) >= longest:
                found, longest = (kind, options), len(point)
    return found


def option_of(path, name):
    """The value of a mount option, e.g. of "huge"; None if it has none."""
    for option in mount_of(path)[1].split(","):
        key, _, value = option.partition("=")
        if key == name:
            return value
    return None


def become_root_of_user_namespace(uid, gid):
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                       ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def enter():
    """Only the next child will be in the PID namespace."""
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS | CLONE_NEWPID | (0 if uid == 0 else CLONE_NEWUSER)
    check(libc.unshare(flags), "unshare")
    if uid != 0:
        become_root_of_user_namespace(uid, gid)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def set_up_inside(work_dir):
    mount("proc", "/proc", "proc")
    options = [f"{name}={value}" for name in ("size", "huge")
               if (value := option_of("/dev/shm", name))]
    mount("vitrine-benchmarks", "/dev/shm", "tmpfs", 0,
          ",".join(["mode=1777"] + options))
    # For short paths of sockets, on the disk.
    mount("vitrine-benchmarks", "/run", "tmpfs", 0, "mode=755,size=1m")
    os.mkdir("/run/work")
    mount(work_dir, "/run/work", flags=MS_BIND)


def run_inside(work_dir, function):
    """Runs function() in a child in there; returns the exit status."""
    enter()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            commands.raise_on_signals()
            set_up_inside(work_dir)
            status = function()
        except commands.Interrupted as interrupted:
            print(f"\nbenchmarks/run: ended by {interrupted}",
                  file=sys.stderr)
            status = 130
        except OSError as error:
            print(f"benchmarks/run: {error}", file=sys.stderr)
        except Exception:  # Or nobody would see it: there is no way up.
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)

    def pass_on(number, _frame):
        os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
