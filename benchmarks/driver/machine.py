"""What the figures are of: the machine, the kernel, the code."""
import datetime
import os
import pathlib
import platform
import subprocess


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def field(path, name):
    for line in read(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def code_version(root):
    commit = command_output("git", "-C", root, "rev-parse", "--short=12",
                            "HEAD")
    changed = command_output("git", "-C", root, "status", "--porcelain",
                             "--untracked-files=no")
    return (commit or "unknown") + (" with changes" if changed else "")


def describe(root):
    memory_kib = int(field("/proc/meminfo", "MemTotal").split()[0])
    system = field_of_os_release("PRETTY_NAME")
    return {
        "cpu": field("/proc/cpuinfo", "model name"),
        "cpus": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in field("/proc/cpuinfo", "flags").split(),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/"
                         "scaling_governor") or "unknown",
        "memory_gib": round(memory_kib / 2**20, 1),
        "huge_pages": read(
            "/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "kernel": platform.release(),
        "system": system,
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime(
            "%Y-%m-%d %H:%M UTC"),
        "code": code_version(root),
        "load_at_start": os.getloadavg()[0],
    }


def field_of_os_release(name):
    for line in read("/etc/os-release").splitlines():
        key, _, value = line.partition("=")
        if key == name:
            return value.strip('"')
    return "unknown"
