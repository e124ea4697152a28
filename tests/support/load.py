"""load.py - steady load on a FastCGI socket from threads, and an account of every request that failed.

    with Load(pool.socket, connections=8) as load:
        ...                      # reload, kill, whatever
    load.done, load.failures     # requests that succeeded; what went wrong with the others

Each thread has one kept connection, which it closes after `per_connection` requests and opens anew, as
fronts do. A connection that cannot be opened while `patient` is retried for a second first.
"""
import threading
import time

from support import fcgi


class Load:
    def __init__(self, address, connections=8, per_connection=40, targets=None, pause=0.0):
        self.address = address
        self.per_connection = per_connection
        self.pause = pause
        self.targets = targets or [("GET", "/hello", b""), ("POST", "/sink", b"x" * 300)]
        self.done = 0
        self.slowest = 0.0
        self.failures = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(connections)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count, timeout=20.0):
        """Until so many requests more have succeeded."""
        goal = self.done + count
        end = time.monotonic() + timeout
        while self.done < goal:
            assert time.monotonic() < end, f"{goal - self.done} of {count} requests are missing"
            time.sleep(0.005)

    def _run(self, number):
        count = number
        while not self._stop.is_set():
            try:
                with fcgi.Connection(self.address) as connection:
                    for _ in range(self.per_connection):
                        if self._stop.is_set():
                            return
                        self._ask(connection, self.targets[count % len(self.targets)])
                        count += 1
                        time.sleep(self.pause)
            except Exception as problem:  # noqa: BLE001 - whatever it was, it is counted
                with self._lock:
                    self.failures.append(f"{type(problem).__name__}: {problem}")
                time.sleep(0.01)

    def _ask(self, connection, target):
        method, path, body = target
        began = time.monotonic()
        response = connection.request(method, path, body=body)
        if not response.complete or response.status != 200:
            raise AssertionError(f"{method} {path}: {response.status}, {len(response.raw)} bytes, "
                                 f"{'whole' if response.complete else 'broken off'}")
        with self._lock:
            self.done += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
