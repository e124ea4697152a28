"""pool.py - starts a worker pool of its own for a test, watches it and ends it.

    pool = Pool("hearth-fcgi", {"pool.workers": 1}).start()
    pool.request("GET", "/healthz").status       # over a raw FastCGI connection
    pool.nginx_address()                         # for fastcgi_pass and the like
    pool.stop()                                  # the frame does so anyway after the test

Configuration keys are those of hearth.conf; what is not given stays at a default made for tests:
everything under `dir`, 2 workers of 4 threads. The log is JSON, in `dir`/hearth.log.

    program   "hearth-fcgi", "program_pool" (the test module, see tests/integration), or a path
    listen    "unix"         the pool's own Unix socket, dir/hearth.sock
              "tcp"          the pool's own TCP port on 127.0.0.1
              "fd0"          inherited from spawn-fcgi -n
              "fd0-fork"     inherited from spawn-fcgi, which forks and returns
              "systemd"      inherited as fd 3 with LISTEN_FDS and LISTEN_PID
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

from support import fcgi, tap

TEST_PROGRAM = "program_pool"


def program_path(name):
    if "/" in name:
        return name
    inner = "programs" if name.startswith("program_") else ""
    return os.path.join(tap.BUILD, inner, name)


def config_text(values):
    """The text of a configuration file from {"group.key": value}."""
    def literal(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value) if -2**31 <= value < 2**31 else f"{value}L"
        if isinstance(value, (list, tuple)):
            return "( " + ", ".join(literal(v) for v in value) + " )"
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

    groups = {}
    for key, value in values.items():
        group, name = key.split(".", 1)
        groups.setdefault(group, []).append(f"  {name} = {literal(value)};")
    return "".join(f"{g}:\n{{\n" + "\n".join(lines) + "\n};\n" for g, lines in groups.items())


def children_of(pid):
    """[(pid, name)] of a process's children."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                text = stat.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        if int(parent) == pid and state != "Z":
            found.append((int(entry), name))
    return sorted(found)


def suspend(pid):
    """SIGSTOP, until all its threads stand still: one takes the signal and stops the others."""
    os.kill(pid, signal.SIGSTOP)

    def stands_still():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
                if file.read().rpartition(")")[2].split()[0] != "T":
                    return False
        return True

    tap.eventually(stands_still, 10.0, f"process {pid} stands still", step=0.001)


def alive(pid):
    """Is there a process of that number that has not ended?"""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text[text.rindex(")") + 2] != "Z"


class Pool:
    def __init__(self, program="hearth-fcgi", config=None, dir=None, listen="unix", arguments=(),
                 environment=None, may_overflow=False):
        self.program = program_path(program)
        self.dir = dir or tap.directory()
        self.listen = listen
        self.may_overflow = may_overflow  # the test makes a library write over its buffer
        self.arguments = list(arguments)
        self.environment = dict(os.environ, **(environment or {}))
        self.config_file = os.path.join(self.dir, "hearth.conf")
        self.log_file = os.path.join(self.dir, "hearth.log")
        self.output_file = os.path.join(self.dir, "output.txt")
        self.process = None
        self.exit_code = None
        self.master_pid = None
        if listen in ("tcp", "systemd-tcp"):
            self.socket = ("127.0.0.1", tap.free_port())
        else:
            self.socket = os.path.join(self.dir, "hearth.sock")
        self.config = {
            "pool.listen": self.listen_value(),
            "pool.workers": 2,
            "pool.threads": 4,
            "pool.drain_timeout_ms": 5000,
            "state.directory": os.path.join(self.dir, "state"),
            "log.file": self.log_file,
            "log.format": "json",
        }
        site = os.path.join(tap.ROOT, "etc", "site")
        if os.path.basename(self.program) == "hearth-fcgi" and os.path.isdir(site):
            self.config["site.directory"] = site
        self.configure(config or {})

    # ---- Configuration ----

    def listen_value(self):
        return self.nginx_address() if self.listen == "unix" else f"tcp:{self.nginx_address()}" \
            if self.listen == "tcp" else f"unix:{self.dir}/unused.sock"

    def nginx_address(self):
        """unix:PATH or HOST:PORT."""
        return f"unix:{self.socket}" if isinstance(self.socket, str) else "%s:%d" % self.socket

    def configure(self, changes):
        """Writes the file with these keys changed; None takes a key out."""
        self.config.update(changes)
        values = {k: v for k, v in self.config.items() if v is not None}
        temporary = self.config_file + ".new"
        with open(temporary, "w") as file:
            file.write(config_text(values))
        os.rename(temporary, self.config_file)

    # ---- Life ----

    def command(self):
        return [self.program, "--config", self.config_file] + self.arguments

    def start(self, wait=True, timeout=30.0):
        os.makedirs(os.path.join(self.dir, "state"), exist_ok=True)
        before = len(self.log_lines("pool_ready"))
        tap.cleanup(self._check_sanitizers)  # runs when the pool has been ended
        if self.listen == "fd0":
            self._spawn(["spawn-fcgi", "-s", self.socket, "-M", "0660", "-n", "--"] + self.command())
        elif self.listen == "fd0-fork":
            self._spawn_fork()
        elif self.listen == "systemd":
            self._spawn_systemd()
        else:
            self._spawn(self.command())
        if wait:
            tap.eventually(lambda: self._is_ready(before), timeout, "the pool is ready")
            self.master_pid = self.log_lines("pool_ready")[-1].get("pid", self.master_pid)
        return self

    def _check_sanitizers(self):
        text = self.output()
        broken = "Sanitizer" in text or "runtime error" in text
        assert self.may_overflow or not broken, text[-8000:]

    def _spawn(self, command, **options):
        self.process = tap.spawn(command, self.output_file, env=self.environment, **options)
        self.master_pid = self.process.pid

    def _spawn_fork(self):
        pid_file = os.path.join(self.dir, "spawn-fcgi.pid")
        with open(self.output_file, "ab") as output:
            subprocess.run(["spawn-fcgi", "-s", self.socket, "-M", "0660", "-P", pid_file, "--"]
                           + self.command(), check=True, env=self.environment, stdout=output,
                           stderr=output, stdin=subprocess.DEVNULL)
        with open(pid_file) as file:
            self.master_pid = int(file.read())
        tap.cleanup(self._end_detached)

    def _end_detached(self):
        if alive(self.master_pid):
            os.kill(self.master_pid, signal.SIGKILL)

    def _spawn_systemd(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.socket)
            listener.listen(64)
            become = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True); "
                      "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
                      "os.execv(sys.argv[2], sys.argv[2:])")
            self._spawn([sys.executable, "-c", become, str(listener.fileno())] + self.command(),
                        pass_fds=[listener.fileno()])

    def _is_ready(self, before):
        if self.process and self.process.poll() is not None:
            raise AssertionError(f"the pool ended with {self.process.returncode}:\n"
                                 f"{self.output()}\n{self.log_text()}")
        return len(self.log_lines("pool_ready")) > before

    def wait(self, timeout=40.0):
        """Until the master has ended; its exit code (None in "fd0-fork")."""
        if self.process:
            self.exit_code = self.process.wait(timeout)
        else:
            tap.eventually(lambda: not alive(self.master_pid), timeout, "the master has ended")
        return self.exit_code

    def stop(self, number=signal.SIGTERM, timeout=40.0):
        if alive(self.master_pid):
            os.kill(self.master_pid, number)
        return self.wait(timeout)

    def reload(self, changes=None, timeout=30.0):
        """Writes the changes, sends SIGHUP and waits for the outcome: True when it was taken."""
        if changes:
            self.configure(changes)
        events = ("reload_done", "reload_refused")
        before = sum(len(self.log_lines(e)) for e in events)
        os.kill(self.master_pid, signal.SIGHUP)
        tap.eventually(lambda: sum(len(self.log_lines(e)) for e in events) > before, timeout,
                       "the reload is over")
        return [e for e in (line["event"] for line in self.log_lines()) if e in events][-1] \
            == "reload_done"

    # ---- Looking ----

    def worker_pids(self):
        return [p for p, name in children_of(self.master_pid) if name == "hearth-worker"]

    def keeper_pid(self):
        return next((p for p, name in children_of(self.master_pid) if name == "hearth-keeper"), None)

    def all_pids(self):
        return [self.master_pid] + [p for p, _ in children_of(self.master_pid)]

    def log_text(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log_lines(self, event=None):
        """The whole lines of the log as dictionaries, those of one event if it is named."""
        lines = []
        for text in self.log_text().splitlines(keepends=True):
            if text.endswith("\n"):
                line = json.loads(text)
                if event is None or line.get("event") == event:
                    lines.append(line)
        return lines

    def output(self):
        """What the program wrote to its standard output and error."""
        try:
            with open(self.output_file, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # ---- Asking ----

    def connect(self, timeout=20.0):
        return fcgi.Connection(self.socket, timeout)

    def request(self, *arguments, **options):
        return fcgi.request(self.socket, *arguments, **options)

    def metrics(self):
        """{'name{labels}': value} of /metrics."""
        values = {}
        for line in self.request("GET", "/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def metric(self, name):
        """The sum over all series of that name."""
        return sum(v for n, v in self.metrics().items() if n.partition("{")[0] == name)

    def dirty_kilobytes(self):
        """The sum of Pss_Dirty of all processes, from /proc/PID/smaps_rollup."""
        total = 0
        for pid in self.all_pids():
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss_Dirty:"))
        return total


def wait_until_whole(pool, count, timeout=1.0, other_than=()):
    """Waits until the pool has `count` workers that answer, none of them in `other_than`."""
    started = time.monotonic()
    tap.eventually(lambda: len([p for p in pool.worker_pids() if p not in other_than]) == count,
                   timeout, f"{count} workers again", step=0.005)
    return time.monotonic() - started
