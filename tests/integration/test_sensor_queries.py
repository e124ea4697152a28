#!/usr/bin/python3
"""Readings in through a real pool behind nginx, late ones and duplicates among them, and every way out
compared with a naive model: while they are live, when they are sealed, and after a restart."""
import csv
import datetime
import io
import json
import os
import random
import sys
import threading
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import readings_model, sensor, tap  # noqa: E402
from support.readings_model import Model  # noqa: E402
from support.tap import equal, eventually, full, main, test  # noqa: E402

DAY_MS = 86400000
START = 1741392000000  # 2025-03-08, the day before clocks change in America
DAYS = 40
QUESTIONS = 150 if full() else 40
ZONES = ("UTC", "America/Denver", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe",
         "America/St_Johns", "Pacific/Apia", "Asia/Tokyo", "Africa/Cairo", "America/Santiago")
TRANSMITTERS = ((1, 17), (1, 18), (5, 107), (5, 31), (8, 255), (16, 0))
NAMES = {"version": 1, "series": [
    {"id": "freezer", "name": "Freezer, \"big\"", "unit": "C", "place": "Cellar", "stale_after_s": 1800,
     "transmitters": [
         {"channel": 5, "rolling_code": 107, "from": None, "to": "2025-03-20T00:00:00Z"},
         {"channel": 5, "rolling_code": 31, "from": "2025-03-20T00:00:00Z", "to": "2025-04-05T12:00:00Z"}]},
    {"id": "porch", "name": "Porch", "unit": "F", "place": "", "stale_after_s": 20000,
     "transmitters": [{"channel": 1, "rolling_code": 17, "from": None, "to": None}]}]}


def seed():
    number = int(os.environ.get("HEARTH_SEED", str(time.time_ns() % 10**9)))
    print(f"# HEARTH_SEED={number}", flush=True)
    random.seed(number)


def made_up_record():
    channel, code = random.choice(TRANSMITTERS)
    return sensor.encode({
        "time_ms": START + random.choice((random.randrange(DAYS * DAY_MS),
                                          random.randrange(DAYS * 24) * 3600000)),
        "channel_minus_1": channel - 1, "rolling_code": code, "scale": random.randrange(2),
        "raw": random.choice((sensor.RAW_ABSENT, *[random.randrange(600, 1700)] * 15)),
        "humidity": random.choice((sensor.HUMIDITY_ABSENT, *[random.randrange(101)] * 15)),
        "battery_low": random.randrange(2), "signal": random.randrange(128),
        "relay": random.randrange(2), "occupied": random.randrange(2),
        "time_quality": random.choice((sensor.SENDER, sensor.SERVER, sensor.IMPORTED))})


def walk(count):
    """Readings of one transmitter as it sends them: close together, then silent."""
    channel, code = random.choice(TRANSMITTERS)
    when, raw = START + random.randrange(DAYS * DAY_MS), random.randrange(900, 1300)
    for _ in range(count):
        raw += random.randrange(-9, 10)
        when += random.choice((16000, 60000, 640000, 5400000))
        yield sensor.encode({"time_ms": when, "channel_minus_1": channel - 1, "rolling_code": code,
                             "raw": raw, "humidity": random.randrange(20, 60)})


class Queried:
    """A station, and the model of what it was sent."""

    def __init__(self, config=None):
        self.station = sensor.Station({"sensor.live_bytes": 12000, "sensor.time_zone": "America/Denver",
                                       **(config or {})})
        directory = self.station.sensor_directory()
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "series.json"), "w", encoding="utf-8") as file:
            json.dump(NAMES, file)
        self.station.start()
        self.model = Model(NAMES)
        self.sent = []

    def send(self, records):
        status, answer = self.station.put(b"".join(records), "application/octet-stream", method="POST")
        equal(status, 200, answer)
        for record in records:
            self.model.add(record)
        self.sent += records
        equal(answer["quarantined"], 0, answer)

    def send_many(self, count):
        """Some in order, some late, some twice; suspects among them."""
        records = [made_up_record() for _ in range(count // 2)]
        while len(records) < count:
            records += walk(random.randrange(1, 60))
        for i in range(0, len(records), 40):
            fields = sensor.decode(records[i])
            if sensor.identity(records[i]) not in self.model.records:
                records[i] = sensor.encode({**fields, "time_quality": sensor.SUSPECT})
        records += random.sample(records, len(records) // 10)
        records += random.sample(self.sent, min(len(self.sent), 50))
        random.shuffle(records)
        for i in range(0, len(records), 250):
            self.send(records[i:i + 250])

    def get(self, target, headers=None, token=True):
        all_headers = {"Authorization": "Bearer " + self.station.token} if token else {}
        return self.station.request("GET", target, headers={**all_headers, **(headers or {})})

    def ask(self, target):
        answer = self.get(target, token=False)
        equal(answer.status, 200, (target, answer.body[:300]))
        equal(answer.headers["Content-Type"], "application/json", target)
        return json.loads(answer.body, parse_float=Decimal)

    def compare(self, check, *arguments):
        """Runs a check, with the question in its failure."""
        try:
            check(*arguments)
        except AssertionError as why:
            raise AssertionError(f"{arguments}: {why}") from why


# ---- Questions ----

def random_span():
    start = START + random.randrange(-2 * DAY_MS, DAYS * DAY_MS)
    length = random.choice((random.randrange(1, 3600000), random.randrange(1, 3 * DAY_MS),
                            random.randrange(1, 50 * DAY_MS), random.randrange(1, 900)))
    return start, start + length


def random_question():
    start, end = random_span()
    bucket = random.choice((None, None, "hour", "day", "week", "month"))
    if bucket == "hour":
        end = min(end, start + 20 * DAY_MS)
    return {"from": start, "to": end, "bucket": bucket, "points": random.choice((1, 7, 100, 1000)),
            "fn": random.choice(("m4", "m4", "mean", "min", "max", "raw")),
            "unit": random.choice((None, "F", "C")), "tz": random.choice((None, *ZONES)),
            "quality": random.choice((None, None, "all")),
            "series": random.choice((None, None, "freezer", "porch,5-107", "5-31,16-0"))}


def target_of(question, more=""):
    return "/api/v1/range?" + "&".join(f"{n}={v}" for n, v in question.items() if v is not None) + more


def edges_of(question):
    zone = question["tz"] or "America/Denver"
    if question["bucket"]:
        return readings_model.calendar_edges(question["from"], question["to"], question["bucket"], zone)
    return readings_model.point_edges(question["from"], question["to"], question["points"])


def asked_series(question):
    return question["series"].split(",") if question["series"] else None


def columns_of(answer):
    return {series["id"]: {q: series[q] for q in readings_model.QUANTITIES} for series in answer["series"]}


def check_raw(queried, question):
    answer = columns_of(queried.ask(target_of(question)))
    expected = queried.model.raw(question["from"], question["to"], question["unit"],
                                 question["quality"] == "all", asked_series(question))
    for series in set(answer) | set(expected) | set(asked_series(question) or ()):
        for quantity in readings_model.QUANTITIES:
            equal(answer.get(series, {}).get(quantity),
                  expected.get(series, {}).get(quantity, {"time": [], "value": []}), (series, quantity))


def check_buckets(queried, question):
    answer = queried.ask(target_of(question))
    edges = edges_of(question)
    equal(answer["times"], edges[:-1], "times")
    asked = asked_series(question)
    expected = queried.model.range(edges, question["fn"], question["unit"], question["quality"] == "all",
                                   asked, asked or ())
    got = columns_of(answer)
    equal(sorted(got), sorted(expected), "series")
    for series, quantities in expected.items():
        for quantity, columns in quantities.items():
            for member, values in columns.items():
                equal(got[series][quantity][member], values, (series, quantity, member))
    for series in answer["series"]:
        equal(series["unit"], queried.model.unit_of(series["id"], question["unit"]), "unit")
        equal(series["stale_after_ms"], queried.model.limit_of(series["id"]), "limit")


def check_question(queried, question):
    if question["fn"] == "raw":
        check_raw(queried, question)
    else:
        check_buckets(queried, question)


def check_rows_form(queried, question):
    """The rows say what the columns say."""
    columns, rows = queried.ask(target_of(question)), queried.ask(target_of(question, "&rows=1"))
    by_series = columns_of(columns)
    found = {}
    for row in rows:
        for quantity in readings_model.QUANTITIES:
            if row[quantity] is not None:
                found.setdefault((row["series"], quantity), {})[row["time"]] = row[quantity]
    for series, quantities in by_series.items():
        for quantity, members in quantities.items():
            cells = found.pop((series, quantity), {})
            for i, moment in enumerate(columns["times"]):
                values = {name: column[i] for name, column in members.items()}
                there = any(v is not None for n, v in values.items() if n != "coverage")
                equal(cells.get(moment), values if there else None, (series, quantity, moment))
    equal(found, {}, "rows that no column has")


# ---- The other ways out ----

def check_latest(queried):
    newest, counts = {}, {}
    for record, fields, series in queried.model.sorted():
        newest[series] = fields
        counts[series] = counts.get(series, 0) + (fields["raw"] != sensor.RAW_ABSENT
                                                  or fields["humidity"] != sensor.HUMIDITY_ABSENT
                                                  or not is_split(series))
    answer = queried.ask("/api/v1/latest")
    equal(sorted(s["id"] for s in answer["series"]), sorted(newest), "series")
    for series in answer["series"]:
        fields, unit = newest[series["id"]], queried.model.unit_of(series["id"])
        name = series["id"]
        equal(series["time"], fields["time_ms"], name)
        for quantity in readings_model.QUANTITIES:
            value = Model.value_of(fields, quantity)
            equal(series[quantity], readings_model.shown(quantity, value, unit), (name, quantity))
        equal(series["battery_low"], fields["battery_low"] == 1, name)
        equal(series["signal_dbm"], -fields["signal"] or None, name)
        equal(series["stale"], True, name)
        equal(series["age_ms"], answer["now"] - series["time"], name)
        if not is_split(name):
            equal(series["count"], counts[name], (name, "count"))


def is_split(series):
    """Codes that were several series' are counted by what they measured."""
    return series in ("freezer", "5-107", "5-31")


def check_series(queried):
    times = {}
    for _, fields, series in queried.model.sorted():
        if fields["raw"] != sensor.RAW_ABSENT or fields["humidity"] != sensor.HUMIDITY_ABSENT \
                or not is_split(series):
            times.setdefault(series, []).append(fields["time_ms"])
    answer = queried.ask("/api/v1/series")
    ids = [s["id"] for s in answer["series"]]
    equal(sorted(ids), sorted(set(times) | {"freezer", "porch"}), "series")
    equal(ids[:2], ["freezer", "porch"], "named ones first")
    for series in answer["series"]:
        found = times.get(series["id"], [])
        equal((series["first"], series["last"]), (min(found, default=None), max(found, default=None)),
              series["id"])
        least = max(len(found) * 9 // 10, 0) if is_split(series["id"]) else len(found)
        assert least <= series["count"] <= len(found), (series["id"], series["count"], len(found))
    windows = {s["id"]: s["transmitters"] for s in answer["series"]}["freezer"]
    equal([(w["channel"], w["rolling_code"]) for w in windows], [(5, 107), (5, 31)], "windows")
    equal([w["from"] for w in windows], [None, 1742428800000], "windows")


def read_time(text):
    return readings_model.milliseconds(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")))


def check_ndjson(queried):
    answer = queried.get("/api/v1/export.ndjson?tz=Asia/Kolkata")
    equal((answer.status, answer.headers["Content-Type"]), (200, "application/x-ndjson"))
    lines = [json.loads(line, parse_float=Decimal) for line in answer.body.splitlines()]
    expected = queried.model.sorted(with_suspect=True)
    equal(len(lines), len(expected), "lines")
    for line, (_, fields, series) in zip(lines, expected):
        assert "+05:30" in line["time"], line
        equal(read_time(line["time"]), fields["time_ms"], line)
        unit = "CF"[fields["scale"] == 0]
        value = Model.value_of(fields, "temperature")
        equal(line["temperature_" + unit], readings_model.shown("temperature", value, unit), line)
        equal((line["series"], line["humidity"], line["relay"], line["occupied"], line["battery_ok"]),
              (series, Model.value_of(fields, "humidity"), fields["relay"] == 1,
               fields["occupied"] == 1, fields["battery_low"] == 0), line)


def check_csv(queried):
    answer = queried.get("/api/v1/export?unit=C&series=freezer&quality=good", {"Accept": "text/csv"})
    equal(answer.headers["Content-Type"], "text/csv; header=present; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    expected = [f for _, f, series in queried.model.sorted() if series == "freezer"]
    equal(len(rows), len(expected), "rows")
    for row, fields in zip(rows, expected):
        value = readings_model.shown("temperature", Model.value_of(fields, "temperature"), "C")
        equal(row["temperature_C"] and Decimal(row["temperature_C"]), "" if value is None else value)
        equal((read_time(row["time"]), row["name"]), (fields["time_ms"], "Freezer, \"big\""))


def check_bin(queried):
    expected = sorted(queried.model.records.values())
    equal(queried.station.export(), expected, "records")
    part = queried.get("/api/v1/export.bin", {"Range": "bytes=120-239"})
    equal((part.status, part.body), (206, b"".join(expected)[120:240]), "a part")
    start, end = sensor.decode(expected[100])["time_ms"], sensor.decode(expected[900])["time_ms"]
    equal(queried.station.export(f"?from={start}&to={end}&series=porch&quality=good"),
          [r for r, f, series in queried.model.sorted()
           if start <= f["time_ms"] < end and series == "porch"], "a span of one series")


def check_old_rows(queried):
    rows = queried.ask(f"/temp/data?from=0&to={START + DAYS * DAY_MS * 2}")
    expected = queried.model.sorted()
    equal(len(rows), len(expected), "rows")
    for row, (_, fields, _) in zip(rows, expected):
        equal((row["channel"], row["humidity"]),
              (fields["channel_minus_1"] + 1, Model.value_of(fields, "humidity")), row)


def check_conditions(queried):
    for target in ("/api/v1/range?points=50", "/api/v1/series", "/data", "/api/v1/export.csv",
                   "/api/v1/export.bin"):
        whole = queried.get(target)
        etag = whole.headers["ETag"]
        assert etag.startswith('"'), (target, etag)
        equal(queried.get(target, {"If-None-Match": etag}).status, 304, target)
        head = queried.station.request("HEAD", target, headers={"Authorization": queried.station.token})
        equal((head.status, head.body, head.headers["ETag"]), (200, b"", etag), target)
        equal(head.headers["Content-Type"], whole.headers["Content-Type"], target)
    equal(queried.get("/api/v1/export", {"Accept": "image/png"}).status, 406)


def check_all(queried, questions=QUESTIONS):
    for i in range(questions):
        question = random_question()
        queried.compare(check_question, queried, question)
        if question["fn"] != "raw" and i % 5 == 0:
            queried.compare(check_rows_form, queried, question)
    for check in (check_latest, check_series, check_ndjson, check_csv, check_bin, check_old_rows,
                  check_conditions):
        check(queried)


# ---- The tests ----

def sealed_files(queried):
    directory = os.path.join(queried.station.sensor_directory(), "sealed")
    return sum(len(files) for _, _, files in os.walk(directory))


@test
def every_way_out_says_what_a_naive_model_says():
    seed()
    queried = Queried({"sensor.live_bytes": 1 << 20})
    queried.send_many(3000)
    check_all(queried)


@test
def so_it_does_across_seals_and_a_restart():
    seed()
    queried = Queried()
    queried.send_many(2000)
    check_all(queried, QUESTIONS // 2)
    eventually(lambda: sealed_files(queried) > 0, 30, "something is sealed")
    check_all(queried)
    before = sealed_files(queried)
    queried.station.restart()
    check_all(queried, QUESTIONS // 2)
    queried.send_many(1500)  # late ones of days that are sealed, and duplicates of sealed ones
    check_all(queried, QUESTIONS // 2)
    eventually(lambda: sealed_files(queried) > before, 30, "late ones are sealed as well")
    check_all(queried)
    print(f"# {len(queried.model.records)} readings in {sealed_files(queried)} sealed files")


def told(reading):
    return (reading["time"], reading["channel"], reading["rolling_code"], reading["humidity"] or -1,
            reading["temperature"] or Decimal(-999), reading["signal_dbm"] or 0)


def tail_of(record, unit):
    fields = sensor.decode(record)
    value = readings_model.shown("temperature", Model.value_of(fields, "temperature"), unit)
    return told({"time": fields["time_ms"], "channel": fields["channel_minus_1"] + 1,
                 "rolling_code": fields["rolling_code"], "humidity": Model.value_of(fields, "humidity"),
                 "temperature": value, "signal_dbm": -fields["signal"]})


@test
def a_tail_gives_everything_once_as_it_comes():
    seed()
    queried = Queried({"sensor.live_bytes": 1 << 20})
    cursor = None
    for _ in range(6):
        fresh = {sensor.identity(r): r for r in (made_up_record() for _ in range(random.randrange(1, 700)))}
        records = [r for i, r in fresh.items() if i not in queried.model.records]
        queried.send(records)
        more, came = True, []
        while more:
            answer = queried.ask("/api/v1/tail?quality=all&unit=C&limit=300"
                                 + (f"&after={cursor}" if cursor else ""))
            equal(answer["reset"], False, "reset")
            cursor, more = answer["cursor"], answer["more"]
            came += answer["readings"]
        equal(sorted(map(told, came)), sorted(tail_of(r, "C") for r in records), "what came since")
    queried.station.restart()
    equal(queried.ask(f"/api/v1/tail?after={cursor}")["readings"], [], "nothing twice after a restart")
    equal(queried.get("/api/v1/tail?after=" + "0" * 34).status, 400, "no cursor")


@test
def a_tail_says_when_its_place_was_sealed():
    queried = Queried({"sensor.live_bytes": 2400})
    queried.send([made_up_record() for _ in range(50)])
    cursor = queried.ask("/api/v1/tail")["cursor"]
    queried.send([made_up_record() for _ in range(400)])
    eventually(lambda: queried.ask(f"/api/v1/tail?after={cursor}")["reset"], 30, "its file is sealed")
    answer = queried.ask(f"/api/v1/tail?after={cursor}")
    equal((answer["readings"], answer["more"]), ([], False), "with a reset")
    records = [made_up_record() for _ in range(3)]
    queried.send(records)
    answer = queried.ask(f"/api/v1/tail?quality=all&unit=F&after={answer['cursor']}")
    equal(sorted(map(told, answer["readings"])), sorted(tail_of(r, "F") for r in records), "what came since")


class Stream:
    """A sender that never rests: one reading after the other, warmer by a tenth each."""

    def __init__(self, queried):
        self.queried, self.acknowledged, self.attempted = queried, 0, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._send)
        self.thread.start()
        tap.cleanup(self.end)

    @staticmethod
    def record(number):
        return sensor.encode({"time_ms": START + number * 60000, "channel_minus_1": 7, "rolling_code": 9,
                              "raw": number, "humidity": number % 101})

    def _send(self):
        while not self.ended.is_set() and self.attempted < 3900:
            batch = range(self.attempted, self.attempted + random.randrange(1, 12))
            self.attempted = batch.stop
            status, answer = self.queried.station.put(b"".join(map(self.record, batch)),
                                                      "application/octet-stream", method="POST")
            equal(status, 200, answer)
            self.acknowledged = batch.stop

    def end(self):
        self.ended.set()
        self.thread.join()


def between(stream, before, number, what):
    assert before <= number <= stream.attempted, (what, before, number, stream.attempted)


@test
def while_readings_come_in_every_answer_has_what_was_acknowledged():
    """And a strong ETag never names two answers, whatever is stored and sealed meanwhile."""
    seed()
    queried = Queried({"sensor.live_bytes": 1200})
    queried.send([Stream.record(0)])
    stream = Stream(queried)
    span, bodies = f"from={START}&to={START + DAYS * DAY_MS}&series=8-9", {}
    targets = ["/api/v1/range?fn=raw&quantity=humidity&" + span, "/api/v1/range?points=1&" + span,
               "/api/v1/range?points=1000&" + span, "/api/v1/series", "/api/v1/export.csv"]
    rounds = 0
    while stream.thread.is_alive() and rounds < (400 if full() else 60):
        rounds += 1
        for place, target in enumerate(targets):
            before = stream.acknowledged
            answer = queried.get(target, token=False)
            if answer.status == 503:  # the answer before has not ended everywhere
                continue
            equal(answer.status, 200, target)
            if answer.headers["ETag"].startswith('"'):
                equal(bodies.setdefault(answer.headers["ETag"], answer.body) == answer.body, True, target)
            if place == 4:
                between(stream, before, answer.body.count(b"\n") - 1, target)
                continue
            series = json.loads(answer.body)["series"]
            one = next(s for s in series if s["id"] == "8-9")
            if place == 0:
                times = one["humidity"]["time"]
                equal(times, [START + i * 60000 for i in range(len(times))], target)
                between(stream, before, len(times), target)
            elif place == 1:
                between(stream, before, (one["temperature"]["last_ms"][0] // 60000) + 1, target)
                equal(one["temperature"]["min"], [-40], target)
            elif place == 2:
                warmest = max(v for v in one["temperature"]["max"] if v is not None)
                between(stream, before, round((warmest + 40) * 10) + 1, target)
            else:
                between(stream, before, one["count"], target)
    stream.end()
    assert rounds >= 10, rounds  # else the sender broke off
    print(f"# {stream.acknowledged} readings, {rounds} rounds, {sealed_files(queried)} sealed files, "
          f"{len(bodies)} strong ETags")


@test
def late_readings_and_new_names_show_at_once():
    queried = Queried()
    queried.send([made_up_record() for _ in range(200)])
    target = "/api/v1/range?points=20"
    etag = queried.get(target).headers["ETag"]
    equal(queried.get(target, {"If-None-Match": etag}).status, 304)
    queried.send([made_up_record()])
    fresh = queried.get(target, {"If-None-Match": etag})
    equal(fresh.status, 200, "a late reading")
    path = os.path.join(queried.station.sensor_directory(), "series.json")
    renamed = json.loads(json.dumps(NAMES).replace("Porch", "Veranda"))
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(renamed, file)
    os.rename(path + ".new", path)
    tap.eventually(lambda: b"Veranda" in queried.get("/api/v1/series").body, 10, "the new name")
    tap.eventually(lambda: queried.get(target, {"If-None-Match": fresh.headers["ETag"]}).status == 200,
                   10, "another ETag under the new name")


@test
def wrong_questions_are_refused_with_what_is_allowed():
    queried = Queried()
    for query, part in (("fn=median", "m4, mean, min, max or raw"), ("points=10000000", "from 1 to 10000"),
                        ("tz=Mars/Olympus", "IANA name"), ("from=now&to=now-1h", "`from` is after `to`"),
                        ("series=nobody", "/api/v1/series"), ("from=0&to=now&bucket=hour", "10000 buckets")):
        answer = queried.get("/api/v1/range?" + query)
        equal((answer.status, answer.headers["Content-Type"]), (400, "application/problem+json"), query)
        assert part in json.loads(answer.body)["detail"], (query, answer.body)


if __name__ == "__main__":
    main()
