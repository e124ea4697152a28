"""tap.py - the small frame that the integration tests stand in.

A test file marks functions with @test and ends in `main()`. Each function is a story with a name; what
it started (processes, directories) it gives to the frame, which ends them by process id whatever
happens. Output is TAP version 13, so that tests/run can count. `FILE.py NAME...` runs only the tests
whose name contains one of the words.

    from support.tap import test, main, skip, directory, spawn, eventually, shared_data

Environment: HEARTH_BUILD (the build directory, default build/), CI (missing shared data fails).
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("HEARTH_BUILD", os.path.join(ROOT, "build")))

_tests = []
_cleanups = []


class Skip(Exception):
    pass


def test(function):
    _tests.append(function)
    return function


def skip(why):
    raise Skip(why)


def cleanup(function, *arguments):
    """Runs after the test, last first."""
    _cleanups.append((function, arguments))


def directory():
    """A new directory, readable by servers that drop their privileges, removed after the test."""
    path = tempfile.mkdtemp(prefix="hearth-test-")
    os.chmod(path, 0o755)
    cleanup(shutil.rmtree, path, True)
    return path


def stop(process, timeout=40.0):
    """Ends a process that spawn() started: SIGTERM, then SIGKILL. Gives back its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def spawn(command, log=None, **options):
    """Starts a process in a session of its own. After the test its whole process group is ended."""
    output = open(log, "ab") if log else subprocess.DEVNULL
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", output)
    options.setdefault("stderr", output)
    process = subprocess.Popen(command, start_new_session=True, **options)
    if log:
        output.close()

    def end():
        stop(process, 10.0)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    cleanup(end)
    return process


def free_port():
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(condition, timeout=10.0, what="condition", step=0.02):
    """Waits until condition() is true and gives back its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(step)


def equal(got, expected, what=""):
    assert got == expected, f"{what}: got {got!r}, expected {expected!r}"


def shared_data(name):
    """The path of a file of the shared data beside the project; skips where it is missing, fails in CI."""
    path = os.path.join(os.path.dirname(ROOT), "shared", "data", name)
    if not os.path.exists(path):
        if os.environ.get("CI"):
            raise AssertionError(f"{name} is missing, and CI must have it")
        skip(f"no {name} beside the project")
    return path


def full():
    """Is this the exhaustive run?"""
    return os.environ.get("HEARTH_TESTS") == "full"


def main():
    words = sys.argv[1:]
    chosen = [t for t in _tests if not words or any(w in t.__name__ for w in words)]
    failed = 0
    print("TAP version 13")
    print(f"1..{len(chosen)}", flush=True)
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace("_", " ")
        began = time.monotonic()
        result, trace, reason = "ok", "", ""
        try:
            function()
        except Skip as why:
            reason = f" # SKIP {why}"
        except BaseException:  # noqa: BLE001 - also KeyboardInterrupt: clean up first
            result, trace = "not ok", traceback.format_exc()
        while _cleanups:
            what, arguments = _cleanups.pop()
            try:
                what(*arguments)
            except Exception:  # noqa: BLE001
                result, trace = "not ok", trace + traceback.format_exc()
        seconds = time.monotonic() - began
        print(f"{result} {number} - {name} ({seconds:.1f} s){reason}")
        for line in trace.splitlines():
            print(f"# {line}")
        sys.stdout.flush()
        if result != "ok":
            failed += 1
            if "KeyboardInterrupt" in trace:
                break
    sys.exit(1 if failed else 0)
