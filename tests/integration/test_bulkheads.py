#!/usr/bin/python3
"""Clients that ask for everything and read nothing: they get a share of the pool, and no more."""
import os
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import fcgi, sensor  # noqa: E402
from support.tap import cleanup, equal, eventually, main, test  # noqa: E402

THREADS = 6
BULK = THREADS // 2
READERS = THREADS + 4
BATCHES, BATCH_RECORDS = 8, 100000  # 9.6 MB: no socket and no front takes that in
TARGETS = ("/api/v1/export.bin", "/data?from=0", "/temp/data?from=0")
READING = next(sensor.made_up_readings(1))
PROMPT_SECONDS = 2.0


def filled_station():
    """A pool of one worker, so that all readers meet the same threads."""
    station = sensor.Station({"pool.workers": 1, "pool.threads": THREADS}).start()
    for batch in range(BATCHES):
        content = b"".join(
            sensor.encode({"time_ms": 1700000000000 + (batch * BATCH_RECORDS + i) * 1000,
                           "rolling_code": i % 256, "raw": 1000 + i % 1000, "humidity": i % 101})
            for i in range(BATCH_RECORDS))
        status, answer = station.put(content, "application/octet-stream", method="POST")
        equal((status, answer["accepted"]), (200, BATCH_RECORDS), answer)
    return station


def silent_reader_raw(station, target):
    connection = station.pool.connect()
    cleanup(connection.close)
    connection.send(fcgi.encode("GET", target))
    return connection.socket


def silent_reader_http(station, target):
    reader = socket.socket()
    cleanup(reader.close)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", station.front.port))
    reader.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return reader


def ready(readers):
    """Those that have been answered, or whose answer has begun."""
    return select.select(readers, [], [], 0)[0]


def prompt(station, method, target, body=None, headers=None):
    began = time.monotonic()
    answer = station.request(method, target, body, headers, timeout=PROMPT_SECONDS)
    assert time.monotonic() - began < PROMPT_SECONDS, (method, target)
    return answer


def expect_all_but_bulk(station):
    lines = sensor.made_up_readings(20)
    for line in lines:
        answer = prompt(station, "PUT", "/data", line, {"Authorization": station.token})
        equal(answer.status, 200, answer)
    for target in ("/healthz", "/temp"):
        equal(prompt(station, "GET", target).status, 200, target)
    for target in TARGETS:
        answer = prompt(station, "GET", target)
        equal(answer.status, 503, target)
        assert int(answer.headers["Retry-After"]) > 0, answer.headers
        equal(answer.headers["Content-Type"], "application/problem+json", target)


def silent_readers_take_half(station, begin):
    readers = [begin(station, TARGETS[0]) for _ in range(READERS)]
    eventually(lambda: len(ready(readers)) >= THREADS, what="as many answers as threads have begun")
    expect_all_but_bulk(station)
    eventually(lambda: len(ready(readers)) == READERS, what="all have been answered")
    heads = [reader.recv(4096) for reader in readers]
    equal(sum(b" 503 " in head[:64] for head in heads), READERS - BULK, "refused")
    for reader in readers:
        reader.close()
    answer = eventually(lambda: next((a for a in [station.request("GET", TARGETS[0])]
                                      if a.status == 200), None), what="places are free again")
    equal(len(answer.body), 12 * (BATCHES * BATCH_RECORDS + 20), "whole")


@test
def silent_readers_leave_threads_for_writes_and_small_pages():
    silent_readers_take_half(filled_station(), silent_reader_raw)


@test
def silent_readers_behind_a_front_do_so_too():
    silent_readers_take_half(filled_station(), silent_reader_http)


@test
def silent_readers_and_withheld_bodies_share_one_limit():
    station = filled_station()
    for target in (TARGETS[0], "/data?from=0"):
        held = [silent_reader_raw(station, target) for _ in range(READERS)]
        eventually(lambda h=held: len(ready(h)) >= THREADS, what="answers have begun")
        for _ in range(3 * THREADS):
            writer = station.pool.connect()
            held.append(writer.socket)
            writer.send(fcgi.begin(1, True),
                        fcgi.params(1, fcgi.cgi("PUT", "/data", [("Authorization", station.token)],
                                                length=100)),
                        fcgi.params(1, None), fcgi.stdin(1, b"["))
        time.sleep(0.3)
        for _ in range(6):
            equal(prompt(station, "GET", "/healthz").status, 200, target)
        answer = prompt(station, "PUT", "/data", READING, {"Authorization": station.token})
        equal(answer.status, 200, answer)
        for one in held:
            one.close()


@test
def who_asks_one_after_the_other_is_never_refused():
    """The place of an answer is free before the client can have seen its end."""
    station = sensor.Station({"pool.workers": 1, "pool.threads": 2}).start()  # one place
    content = b"".join(sensor.encode({"time_ms": 1700000000000 + i * 1000, "raw": 1000 + i % 1000})
                       for i in range(5000))
    equal(station.put(content, "application/octet-stream", method="POST")[0], 200)
    connections = [station.pool.connect() for _ in range(2)]
    for connection in connections:
        cleanup(connection.close)
    for target, times in (("/api/v1/range?from=0&points=2", 600), ("/api/v1/export.bin", 200)):
        statuses = set()
        for i in range(times):
            connection = connections[i % 2]
            connection.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("GET", target)),
                            fcgi.params(1, None), fcgi.stdin(1, b""))
            statuses.add(connection.receive().status)
        equal((target, statuses), (target, {200}))


if __name__ == "__main__":
    main()
