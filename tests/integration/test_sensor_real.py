#!/usr/bin/python3
"""The readings of a real station, sent as its sender does: through nginx and the pool, to the disk
and back, and once more."""
import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import sensor  # noqa: E402
from support.tap import equal, main, shared_data, test  # noqa: E402

LINES, DAMAGED, NUL_BYTES = 2431, 2172, 146


def real_lines():
    with open(shared_data("f007th-readings.jsonl"), "rb") as file:
        lines = file.read().split(b"\n")
    equal(lines.pop(), b"", "the last line ends")
    equal(len(lines), LINES, "lines")
    return lines


def damaged_line(lines):
    damaged = lines[DAMAGED - 1]
    equal([i for i, line in enumerate(lines, 1) if b"\0" in line], [DAMAGED], "damaged lines")
    equal(len(damaged) - len(damaged.lstrip(b"\0")), NUL_BYTES, "NUL bytes")
    return damaged


def send_all(station, lines):
    """The sums of what the answers say; each line on a connection of its own."""
    sums = {"accepted": 0, "duplicate": 0, "quarantined": 0, "ignored": 0}
    for line in lines:
        status, answer = station.put(line)
        equal(status, 200, line)
        for name in sums:
            sums[name] += answer.get(name, 0)
    return sums


@test
def every_real_reading_is_stored_once_and_comes_back_as_it_was():
    lines = real_lines()
    damaged = damaged_line(lines)
    good = [line for line in lines if line is not damaged]
    expected = {}
    for line in good:
        record = sensor.record_of(json.loads(line))
        expected[sensor.identity(record)] = record
    unknown = sum("_ts" in json.loads(line) for line in good)
    station = sensor.Station().start()

    status, problem = station.put(damaged)
    equal(status, 400, "the damaged line")
    equal(problem["status"], 400, "its problem document")
    equal(station.export(), [], "nothing of it was stored")

    equal(send_all(station, good), {"accepted": len(expected), "quarantined": 0, "ignored": unknown,
                                    "duplicate": len(good) - len(expected)}, "the first time")
    stored = station.export()
    equal(stored, sorted(expected.values()), "what comes back")
    equal(station.stored_bytes(), 12 * len(expected), "bytes on disk")

    equal(send_all(station, good), {"accepted": 0, "quarantined": 0, "ignored": unknown,
                                    "duplicate": len(good)}, "the second time")
    equal(station.export(), stored, "what comes back")
    equal(station.stored_bytes(), 12 * len(expected), "bytes on disk")
    equal(station.quarantined(), [], "quarantine")


@test
def every_field_of_a_real_reading_equals_what_was_sent():
    lines = real_lines()
    good = [json.loads(line) for line in lines if b"\0" not in line]
    station = sensor.Station().start()
    status, answer = station.put("\n".join(json.dumps(r) for r in good), "application/x-ndjson")
    equal(status, 200, answer)
    came = {(f["time_ms"], f["channel_minus_1"] + 1, f["rolling_code"], f["raw"] - 400,
             f["humidity"], f["battery_low"] == 0)
            for f in map(sensor.decode, station.export())}
    sent = {(sensor.decode(sensor.record_of(r))["time_ms"], int(r["channel"]), r["rolling_code"],
             r["temperature"], r["humidity"], r["battery_ok"]) for r in good}
    equal(came, sent, "fields")
    equal({f["scale"] for f in map(sensor.decode, station.export())}, {0}, "tenths of degF")


@test
def the_rows_say_the_same():
    lines = [line for line in real_lines() if b"\0" not in line]
    station = sensor.Station().start()
    equal(station.put(b"[" + b",".join(lines) + b"]")[0], 200)
    rows = json.loads(station.request("GET", "/temp/data").body)
    records = [sensor.decode(r) for r in station.export()]
    equal(len(rows), len(records), "rows")
    for row, fields in zip(rows, records):
        equal(row["channel"], fields["channel_minus_1"] + 1)
        equal(row["humidity"], fields["humidity"])
        equal(row["batteryLow"], fields["battery_low"] == 1)
        celsius = (fields["raw"] - 400 - 320) / 18
        assert abs((row["rawTemp"] - 1000) / 10 - celsius) <= 0.05 + 1e-9, (row, fields)
    page = station.request("GET", "/temp", headers={"Accept": "text/html"})
    equal(page.status, 200, "the page")
    series = {(f["channel_minus_1"], f["rolling_code"]) for f in records}
    equal(page.body.count(b'<path class="line'), 2 * len(series), "lines in two charts")


@test
def the_damaged_file_as_a_whole_loses_one_line():
    lines = real_lines()
    damaged = damaged_line(lines)
    station = sensor.Station().start()
    status, answer = station.put(b"\n".join(lines) + b"\n", "application/x-ndjson")
    equal(status, 200, answer)
    equal((answer["accepted"] + answer["duplicate"], answer["quarantined"], answer["reasons"]),
          (LINES - 1, 1, {"NOT_JSON": 1}), "the answer")
    [kept] = station.quarantined()
    equal((kept["reason"], kept["source"]), ("NOT_JSON", "json"), "quarantine")
    equal(base64.b64decode(kept["raw_base64"]), damaged, "word for word: it is full of zeros")


if __name__ == "__main__":
    main()
