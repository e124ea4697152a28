#!/usr/bin/python3
"""Sealing in a pool: readings go on coming in, and kill -9 finds the keeper in the middle of it.

Live files are tiny, so that the keeper seals all the time. The killer waits until something is being
written beside its place (a name that ends in .new), or a live file was finished, and kills the
keeper then. Whatever was acknowledged is in the answers, once; at the end the manifest is read here
with other eyes: every row's hash, every file's hash, order and day.
"""
import hashlib
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import sensor, tap  # noqa: E402
from support.tap import equal, eventually, full, main, test  # noqa: E402

KILLS = 24 if full() else 8
SENDERS, BATCH = 3, 150
YOUNG_S = 1.02  # the master is slow to replace a keeper that keeps dying younger than a second
START_MS = 1741000000000
DAY_MS = 86400000
CONFIG = {"pool.workers": 2, "pool.threads": 4, "sensor.live_bytes": 6000}


def reading(number):
    """One a minute, a tenth of them up to four days late."""
    late = number % 4 * DAY_MS if number % 10 == 3 else 0
    return sensor.encode({"time_ms": START_MS + number * 60000 - late, "channel_minus_1": number % 8,
                          "rolling_code": number * 37 % 256, "raw": 400 + number % 1000,
                          "humidity": number % 101, "time_quality": 2 if number % 97 == 5 else 0})


class Senders:
    def __init__(self, station):
        self.station, self.next, self.ended = station, 0, False
        self.lock, self.ledger, self.refused = threading.Lock(), {}, 0
        self.threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()
        tap.cleanup(self.end)

    def _take(self):
        with self.lock:
            first, self.next = self.next, self.next + BATCH
        return [reading(number) for number in range(first, first + BATCH)]

    def _put(self, records):
        headers = {"Authorization": "Bearer " + self.station.token,
                   "Content-Type": "application/octet-stream"}
        try:
            return self.station.request("POST", "/data", b"".join(records), headers).status == 200
        except OSError:
            return False

    def _send(self):
        while not self.ended:
            records = self._take()
            while not self._put(records):
                self.refused += 1
                time.sleep(0.02)
            self.ledger.update((sensor.identity(record), record) for record in records)
            time.sleep(0.005)

    def end(self):
        self.ended = True
        for thread in self.threads:
            thread.join()


def check(station, senders):
    acknowledged = dict(senders.ledger)
    stored = station.export()
    identities = {sensor.identity(record): record for record in stored}
    equal(len(identities), len(stored), "readings stored twice")
    missing = [r.hex() for i, r in acknowledged.items() if identities.get(i) != r]
    equal(missing[:3], [], f"acknowledged and gone, of {len(acknowledged)}")
    return stored


def sealing_goes_on(directory):
    """Is something written beside its place, or is more than one live file there?"""
    if len(os.listdir(os.path.join(directory, "live"))) > 1:
        return True
    for place, _, names in os.walk(os.path.join(directory, "sealed")):
        if any(name.endswith(".new") for name in names):
            return True
    return False


def await_sealing(station):
    until = time.monotonic() + 5
    while time.monotonic() < until and not sealing_goes_on(station.sensor_directory()):
        time.sleep(0.0005)
    time.sleep(random.choice([0, 0, 0.001, 0.003, 0.01]))


def check_manifest(station):
    """The chain, and every sealed file; gives back how many records they hold."""
    directory, records = station.sensor_directory(), 0
    with open(os.path.join(directory, "store.id"), encoding="ascii") as file:
        previous = hashlib.sha256(file.read().strip().encode()).hexdigest()
    manifests = sorted(os.listdir(os.path.join(directory, "manifest")))
    lines = [line for name in manifests
             for line in open(os.path.join(directory, "manifest", name), "rb").read().splitlines()]
    for line, row in zip(lines, station.manifest(), strict=True):
        equal(row["previous"], previous, "the chain")
        previous = hashlib.sha256(line).hexdigest()
        with open(os.path.join(directory, row["file"]), "rb") as file:
            content = file.read()
        equal(hashlib.sha256(content).hexdigest(), row["sha256"], row["file"])
        found = sensor.records_of(content)
        equal(found, sorted(set(found)), row["file"] + " in order")
        if row["file"].startswith("sealed/"):
            days = {sensor.decode(record)["time_ms"] // DAY_MS for record in found}
            equal(len(days), 1, row["file"] + " of one day")
        records += len(found)
    return records


def await_all_sealed(station):
    """However many files the kills have left: the next one is sealed soon."""
    live = os.path.join(station.sensor_directory(), "live")
    left = len(os.listdir(live))
    while left > 1:
        eventually(lambda before=left: len(os.listdir(live)) < before, timeout=90,
                   what=f"the next of {left - 1} finished files is sealed")
        left = len(os.listdir(live))


@test
def a_keeper_killed_while_it_seals_loses_nothing():
    seed = int(os.environ.get("HEARTH_SEED", str(time.time_ns() % 10**9)))
    print(f"# HEARTH_SEED={seed}", flush=True)
    random.seed(seed)
    station = sensor.Station(CONFIG).start()
    senders = Senders(station)
    for _ in range(KILLS):
        time.sleep(YOUNG_S)
        keeper = eventually(station.pool.keeper_pid, what="a keeper")
        await_sealing(station)
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda old=keeper: station.pool.keeper_pid() not in (None, old),
                   what="another keeper")
        eventually(lambda: station.request("GET", "/readyz").status == 200, what="readiness")
        check(station, senders)
    senders.end()
    stored = check(station, senders)
    equal(len(stored), len(senders.ledger), "stored and acknowledged")
    await_all_sealed(station)
    equal(station.stored_bytes(), 12 * len(stored), "bytes on disk: nothing twice")
    sealed = check_manifest(station)
    assert sealed > 0.9 * len(stored), (sealed, len(stored))
    assert senders.refused > 0, "no kill ever hit a request: the test does not test"
    print(f"# {KILLS} kills; {len(stored)} readings, {sealed} sealed in {len(station.manifest())} files")


@test
def what_is_sealed_is_there_after_a_restart_and_known_when_sent_again():
    station = sensor.Station(CONFIG).start()
    senders = Senders(station)
    eventually(lambda: senders.next > 20 * BATCH, what="some readings", timeout=60)
    senders.end()
    stored = check(station, senders)
    headers = {"Authorization": "Bearer " + station.token}
    await_all_sealed(station)

    def tag():
        return station.request("HEAD", "/api/v1/export.bin", headers=headers).headers["ETag"]

    before = tag()
    station.restart()
    equal(tag(), before, "the ETag after a restart")
    equal(station.export(), stored, "what comes back")
    equal(station.request("POST", "/data", b"".join(stored), {
        **headers, "Content-Type": "application/octet-stream"}).status, 200)
    equal(station.export(), stored, "after it was all sent again")
    equal(tag(), before, "the ETag after that")
    equal(station.stored_bytes(), 12 * len(stored), "bytes on disk")


if __name__ == "__main__":
    main()
