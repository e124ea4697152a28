#!/usr/bin/python3
"""kill -9 at random moments while readings come in: what was acknowledged is there, and once.

Senders do as the station's does: one reading a connection, and whatever was not answered with 200 is
sent again. Whoever got a 200 writes it into the ledger. After each kill the ledger, as it was before
the question, must be part of what the store gives out; at the end both are the same.
"""
import itertools
import json
import os
import queue
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import sensor, tap  # noqa: E402
from support.tap import equal, eventually, full, main, test  # noqa: E402

MOMENTS = 100 if full() else 12
SENDERS = 6
LONGEST_PAUSE_S = 0.25
YOUNG_S = 1.02  # the master is slow to replace a keeper that keeps dying younger than a second
CONFIG = {"pool.workers": 2, "pool.threads": 4, "sensor.live_bytes": 6000}


def readings():
    """The real ones first, then as many as it takes."""
    with open(tap.shared_data("f007th-readings.jsonl"), encoding="utf-8") as file:
        real = [line.strip() for line in file if "\0" not in line]
    return itertools.chain(real, sensor.made_up_readings(10**9))


class Senders:
    def __init__(self, station):
        self.station = station
        self.ledger = {}  # identity to record; only ever added to
        self.source = readings()
        self.lock = threading.Lock()
        self.again = queue.SimpleQueue()
        self.ended = threading.Event()
        self.refused = 0
        self.threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()
        tap.cleanup(self.end)

    def _next(self):
        try:
            return self.again.get_nowait()
        except queue.Empty:
            with self.lock:
                return None if self.ended.is_set() else next(self.source)

    def _send(self):
        while (line := self._next()) is not None:
            if self.station.send(line):
                record = sensor.record_of(json.loads(line))
                self.ledger[sensor.identity(record)] = record
            else:
                self.refused += 1
                self.again.put(line)
                time.sleep(0.005)

    def end(self):
        """No new readings; those that were refused are sent until they are taken."""
        self.ended.set()
        for thread in self.threads:
            thread.join()


def check(station, senders):
    """What was acknowledged before the question is part of the answer, which has nothing twice."""
    acknowledged = dict(senders.ledger)
    stored = station.export()
    equal(stored, sorted(stored), "order")
    identities = {sensor.identity(record): record for record in stored}
    equal(len(identities), len(stored), "readings stored twice")
    missing = [r.hex() for i, r in acknowledged.items() if identities.get(i) != r]
    equal(missing, [], f"acknowledged and gone, of {len(acknowledged)}")
    return stored


def finish(station, senders):
    senders.end()
    stored = check(station, senders)
    equal(len(stored), len(senders.ledger), "stored and acknowledged")
    equal(station.stored_bytes(), 12 * len(stored), "bytes on disk: nothing twice, nothing torn")
    equal(station.quarantined(), [], "quarantine")
    assert senders.refused > 0, "no kill ever hit a request: the test does not test"
    print(f"# {len(stored)} readings, {senders.refused} sent again")


def random_moment():
    time.sleep(random.uniform(0.01, LONGEST_PAUSE_S))


def seed():
    number = int(os.environ.get("HEARTH_SEED", str(time.time_ns() % 10**9)))
    print(f"# HEARTH_SEED={number}", flush=True)
    random.seed(number)


def kill_pool(pool):
    """Every process at once, the master first, so that nobody is started again."""
    pids = pool.all_pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    pool.process.wait()
    eventually(lambda: not any(map(alive, pids)), what="all processes are gone", step=0.002)


def kill_pool_one_by_one(pool):
    """The master first; the others go on answering, or end by themselves, until their turn comes."""
    others = [pid for pid in pool.all_pids() if pid != pool.master_pid]
    random.shuffle(others)
    os.kill(pool.master_pid, signal.SIGKILL)
    for pid in others:
        time.sleep(random.uniform(0.0, 0.03))
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    pool.process.wait()
    eventually(lambda: not any(map(alive, others)), what="all processes are gone", step=0.002)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@test
def a_killed_pool_loses_nothing_that_it_acknowledged():
    seed()
    station = sensor.Station(CONFIG).start()
    senders = Senders(station)
    restarts = []
    for moment in range(MOMENTS):
        random_moment()
        (kill_pool_one_by_one if moment % 3 == 2 else kill_pool)(station.pool)
        began = time.monotonic()
        station.pool.start()
        restarts.append(time.monotonic() - began)
        check(station, senders)
    finish(station, senders)
    print(f"# {MOMENTS} kills; restarted in {min(restarts):.3f} to {max(restarts):.3f} s")


@test
def a_killed_keeper_loses_nothing_that_it_acknowledged():
    seed()
    station = sensor.Station(CONFIG).start()
    senders = Senders(station)
    master, workers = station.pool.master_pid, station.pool.worker_pids()
    returns = []
    for _ in range(MOMENTS):
        time.sleep(YOUNG_S)
        random_moment()
        keeper = eventually(station.pool.keeper_pid, what="a keeper")
        os.kill(keeper, signal.SIGKILL)
        began = time.monotonic()
        eventually(lambda: station.pool.keeper_pid() not in (None, keeper), what="another keeper")
        eventually(lambda: station.request("GET", "/readyz").status == 200, what="readiness")
        returns.append(time.monotonic() - began)
        check(station, senders)
    finish(station, senders)
    equal(station.pool.master_pid, master, "the master")
    equal(station.pool.worker_pids(), workers, "the workers")
    print(f"# {MOMENTS} kills; back in {min(returns):.3f} to {max(returns):.3f} s")


@test
def a_pool_killed_while_it_starts_starts_the_next_time():
    seed()
    station = sensor.Station(CONFIG).start()
    lines = list(itertools.islice(sensor.made_up_readings(2000), 2000))
    equal(station.put("\n".join(lines), "application/x-ndjson")[0], 200)
    stored = station.export()
    equal(len(stored), 2000)
    kill_pool(station.pool)
    for _ in range(MOMENTS):
        station.pool.start(wait=False)
        time.sleep(random.uniform(0.0, 0.12))
        kill_pool(station.pool)
    station.pool.start()
    equal(station.export(), stored, "what comes back")
    equal(station.stored_bytes(), 24000, "bytes on disk")


if __name__ == "__main__":
    main()
