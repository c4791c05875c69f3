"""Commands that are run while nothing is measured yet: they and all that they
start end with us."""
import os
import signal
import subprocess


class Interrupted(Exception):
    """A signal asks us to end."""


def raise_interrupted(number, _frame):
    raise Interrupted(signal.Signals(number).name)


def raise_on_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_interrupted)


def run(command, timeout_s=None, **options):
    """Returns the exit status; may raise subprocess.TimeoutExpired."""
    process = subprocess.Popen([str(word) for word in command],
                               stdin=subprocess.DEVNULL,
                               start_new_session=True, **options)
    try:
        return process.wait(timeout_s)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def run_or_fail(command, **options):
    status = run(command, **options)
    if status != 0:
        raise subprocess.CalledProcessError(status, str(command[0]))
