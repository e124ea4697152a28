#!/usr/bin/python3
"""Bodies of junk, through real nginx and the pool: each is answered with 200 at the first try, kept
word for word, and takes about the room on the disk that it took on the line."""
import base64
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import sensor  # noqa: E402
from support.tap import equal, main, test  # noqa: E402

BODY_BYTES = 8 << 20  # sensor.max_body_bytes
LINES = "application/x-ndjson"
GROWTH = 2.5


def bytes_of(entry):
    return entry["raw"].encode() if "raw" in entry else base64.b64decode(entry["raw_base64"])


def disk_bytes(station):
    directory = os.path.join(station.sensor_directory(), "quarantine")
    return sum(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory))


def send(station, body, content_type, method="PUT"):
    began, before = time.monotonic(), disk_bytes(station)
    status, answer = station.put(body, content_type, method=method)
    took, grew = time.monotonic() - began, disk_bytes(station) - before
    equal(status, 200, answer)
    print(f"# {len(body)} bytes: {took:.2f} s, {grew / len(body):.2f} of it on the disk")
    return answer, grew


def expect_kept(station, body, separator):
    """All of the body stands in the quarantine, but for what separates one text from the next. Texts
    that were committed together stand in any order."""
    texts = [bytes_of(entry) for entry in station.quarantined()]
    for text in set(texts):
        assert text in body, text
    equal(sum(map(len, texts)) + len(separator) * len(texts), len(body), "bytes kept")


@test
def lines_of_junk():
    station = sensor.Station().start()
    body = b"1\n" * (BODY_BYTES // 2)
    answer, grew = send(station, body, LINES)
    equal((answer["accepted"], answer["quarantined"]), (0, BODY_BYTES // 2), answer)
    equal(answer["reasons"], {"WRONG_TYPE": BODY_BYTES // 2})
    assert grew <= GROWTH * len(body), grew
    expect_kept(station, body, b"\n")
    answer, _ = send(station, next(sensor.made_up_readings(1)), LINES)
    equal(answer["accepted"], 1, "and the next reading")


@test
def an_array_of_junk():
    for element in (b"[]", b"{}"):
        station = sensor.Station().start()
        body = b"[" + b",".join([element] * (BODY_BYTES // 3 - 1)) + b"]"
        answer, grew = send(station, body, "application/json")
        equal(answer["quarantined"], BODY_BYTES // 3 - 1, answer)
        assert grew <= GROWTH * len(body), grew
        expect_kept(station, body[1:], b",")  # "[" is cut off, "]" stands for the last comma


@test
def lines_of_junk_of_two_kinds():
    station = sensor.Station().start()
    body = b"1\nx\n" * (BODY_BYTES // 4)
    answer, grew = send(station, body, LINES)
    equal(answer["reasons"], {"WRONG_TYPE": BODY_BYTES // 4, "NOT_JSON": BODY_BYTES // 4})
    assert grew <= GROWTH * len(body), grew
    expect_kept(station, body, b"\n")


@test
def records_of_junk():
    station = sensor.Station().start()
    body = b"\xa5" * (BODY_BYTES // 12 * 12)
    answer, grew = send(station, body, "application/octet-stream", "POST")
    equal(answer["quarantined"], BODY_BYTES // 12, answer)
    assert grew <= GROWTH * len(body), grew
    expect_kept(station, body, b"")


@test
def one_object_of_700000_members():
    station = sensor.Station().start()
    body = ("{" + ",".join(f'"{i}":0' for i in range(700000)) + "}").encode()
    before = peak_bytes(station)
    answer, grew = send(station, body, "application/json")
    equal((answer["quarantined"], answer["reasons"]), (1, {"TOO_LARGE": 1}), answer)
    assert grew <= GROWTH * len(body), grew
    grown = peak_bytes(station) - before
    print(f"# a worker grew by {grown / 1e6:.1f} MB")
    assert grown < 4 * len(body), f"a worker grew by {grown} bytes for {len(body)}"


def peak_bytes(station):
    """The most memory that one of the workers ever had."""
    return max(peak_of(pid) for pid in station.pool.worker_pids())


def peak_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
