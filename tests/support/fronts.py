"""fronts.py - a real web server, started privately in front of a FastCGI socket.

    from support.fronts import Front, FRONTS
    front = Front("nginx", socket_path, directory()).start()
    urllib.request.urlopen(front.url + "/hello")

The configuration is the one that is shipped (deploy/NAME/, rendered and run by deploy/front): no root
needed, a port nobody uses on 127.0.0.1, logs in the directory given. The server is ended with the
test. A server that is not installed skips the test, and fails it where CI is set.
"""
import os
import shutil
import socket

from support import tap

FRONTS = ("nginx", "apache", "lighttpd", "caddy")
PROGRAMS = {"apache": "apache2"}
START_SECONDS = 20.0
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Front:
    """One web server. `url` is "http://127.0.0.1:PORT"; `log` names its error log."""

    def __init__(self, name, socket_path, directory):
        assert name in FRONTS, name
        self.name = name
        self.socket_path = str(socket_path)
        self.directory = str(directory)
        self.log = os.path.join(self.directory, f"{name}.log")
        self.process = None
        self.port = None
        self.url = None

    def start(self):
        """Starts it and waits until it listens. Gives back itself."""
        program = PROGRAMS.get(self.name, self.name)
        if not shutil.which(program, path=SEARCH_PATH):
            if os.environ.get("CI"):
                raise AssertionError(f"{program} is not installed, and CI must have it")
            tap.skip(f"{program} is not installed")
        for _ in range(5):  # another process may take the port before the server does
            self.port = tap.free_port()
            self.url = f"http://127.0.0.1:{self.port}"
            self.process = tap.spawn(
                [os.path.join(tap.ROOT, "deploy", "front"), self.name, self.directory,
                 str(self.port), self.socket_path], log=self.log)
            if tap.eventually(lambda: self._listens() or self.process.poll() is not None,
                              START_SECONDS, f"{self.name} on port {self.port}") \
                    and self.process.poll() is None:
                return self
        raise AssertionError(f"{self.name} does not start:\n{self.log_text()}")

    def stop(self):
        """Ends it now (the frame would after the test). Gives back its exit code."""
        return tap.stop(self.process)

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
        except OSError:
            return False
        return True
