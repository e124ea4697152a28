#!/usr/bin/python3
"""Every dialect by clients that exist: rtl_433 with a radio recording, curl, a sender that makes one
connection a reading, batches of line protocol; each by itself, and all at once while the keeper and
the pool are killed. Whatever was acknowledged is stored."""
import collections
import gzip
import http.client
import http.server
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import fcgi, sensor, tap  # noqa: E402
from support.tap import equal, eventually, full, main, test  # noqa: E402

KILLS = 30 if full() else 8
BATCH_LINES = 5000
BATCH_PAUSE_S = 0.3
BODY_BYTES = 8 << 20  # sensor.max_body_bytes
RTL_433_SECONDS = 3
RTL_433_READING = {"channel_minus_1": 2, "rolling_code": 165, "raw": 499, "humidity": 57}
CONFIG = {"pool.workers": 2, "pool.threads": 4, "sensor.live_bytes": 300000}


# ---- rtl_433 ----

def shared_tool(name):
    return tap.shared_data(os.path.join("..", "tools", name))


def recording():
    """The path of a radio recording of one thermometer that sends its reading three times."""
    path = tap.directory()
    subprocess.run([sys.executable, shared_tool("f007_signal.py"), "i"], cwd=path, check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(path, "f007_250k.cu8")


class Radio:
    """rtl_433 over a source that plays the recording to it, as a receiver would."""

    def __init__(self, target, times="time:unix:usec:utc"):
        program = shutil.which("rtl_433")
        if not program:
            if os.environ.get("CI"):
                raise AssertionError("rtl_433 is not installed, and CI must have it")
            tap.skip("rtl_433 is not installed")
        port = tap.free_port()
        self.source = tap.spawn([sys.executable, shared_tool("fake_rtl_tcp.py"), str(port),
                                 recording(), str(RTL_433_SECONDS + 2)])
        eventually(lambda: listens(port), what="the source listens")
        self.process = tap.spawn(
            [program, "-d", f"rtl_tcp:127.0.0.1:{port}", "-R", "20", "-M", times,
             "-F", f"influx://{target}", "-T", str(RTL_433_SECONDS)],
            log=os.path.join(tap.directory(), "rtl_433.log"))

    def wait(self):
        self.process.wait(30)
        tap.stop(self.source)


def listens(port):
    """Does somebody? Without connecting: the source takes one connection."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A"
                   for line in table.readlines()[1:])


def is_the_radio_s(record):
    fields = sensor.decode(record)
    return all(fields[name] == value for name, value in RTL_433_READING.items())


def expect_the_radio_s(station, sent):
    """One reading, sent three times within a fifth of a second: as many as it has times."""
    records = station.export()
    name, metrics = 'hearth_readings_received_total{dialect="influx",outcome="%s"}', station.pool.metrics()
    counts = [metrics[name % outcome] for outcome in ("accepted", "duplicate", "quarantined")]
    equal((counts[0], sum(counts), counts[2]), (len(records), sent, 0), "received")
    for fields in map(sensor.decode, records):
        equal({name: fields[name] for name in RTL_433_READING}, RTL_433_READING)
        equal((fields["battery_low"], fields["scale"], fields["time_quality"]), (0, 0, sensor.SENDER))
        assert abs(fields["time_ms"] / 1000 - time.time()) < 60, fields
    return records


@test
def rtl_433_writes_with_a_password_in_its_address():
    station = sensor.Station(CONFIG).start()
    target = f"127.0.0.1:{station.front.port}/write?db=db&u=us&p={station.token}"
    Radio(target, "time:unix:utc").wait()
    seconds = expect_the_radio_s(station, 3)
    assert 1 <= len(seconds) <= 2, "times in whole seconds"
    Radio(target, "time:unix:usec:utc").wait()
    equal(len(expect_the_radio_s(station, 6)), len(seconds) + 3, "times with their fractions")


@test
def rtl_433_without_a_token_writes_nothing():
    station = sensor.Station(CONFIG).start()
    Radio(f"127.0.0.1:{station.front.port}/write?db=db").wait()
    equal(station.export(), [], "stored")
    statuses = {line["status"] for line in station.pool.log_lines("request")
                if line.get("route") == "/write"}
    equal(statuses, {401}, "what it was told")


# ---- Line protocol ----

def line_and_record(i, time_ms):
    """A line as rtl_433 writes it, and the record that it must become."""
    tenths = i * 13 % 1200 - 200
    fields = {"time_ms": time_ms, "channel_minus_1": i % 8, "rolling_code": i * 37 % 256,
              "raw": tenths + 400, "humidity": i * 7 % 101, "battery_low": int(i % 50 == 0)}
    line = (f"Ambientweather-F007TH,id={fields['rolling_code']},channel={1 + i % 8},mic=CRC "
            f"battery_ok={1 - fields['battery_low']},temperature_F={tenths / 10:.6f},"
            f"humidity={fields['humidity']} {time_ms * 1000000 + i % 1000000}\n")
    return line, sensor.encode(fields)


def batch(number, first_ms=1740000000000):
    """(body, records) of BATCH_LINES lines that no other number has."""
    pairs = [line_and_record(i, first_ms + 7 * i)
             for i in range(number * BATCH_LINES, (number + 1) * BATCH_LINES)]
    return "".join(line for line, _ in pairs).encode(), [record for _, record in pairs]


def write_lines(station, body, target="/write?db=db", headers=None):
    authorization = {"Authorization": f"Token {station.token}"}
    return station.request("POST", target, body, {**authorization, **(headers or {})})


@test
def a_batch_of_5000_lines_is_stored_once():
    station = sensor.Station(CONFIG).start()
    body, records = batch(0)
    for accepted in (BATCH_LINES, 0):
        answer = write_lines(station, body)
        equal(answer.status, 204, answer.body)
        equal(answer.headers["Hearth-Readings"],
              f"accepted={accepted}, duplicate={BATCH_LINES - accepted}, quarantined=0")
    equal(station.export(), sorted(records), "what comes back")


@test
def a_metric_a_line_is_put_together():
    station = sensor.Station(CONFIG).start()
    token = station.new_token("f007th-send", "data:write", "--unit", "f")
    tags = "type=F007TH,channel=1,rolling_code=107"
    body = f"temperature,{tags} value=74.4\nhumidity,{tags} value=35\n" \
           f"sensor_battery_status,{tags} value=false\n"
    answer = station.request("POST", "/write?db=x", body, {"Authorization": f"Token {token}"})
    equal(answer.status, 204, answer.body)
    [record] = station.export()
    fields = sensor.decode(record)
    equal((fields["raw"], fields["humidity"], fields["battery_low"], fields["time_quality"]),
          (1144, 35, 1, sensor.SERVER))


@test
def bad_lines_are_kept_and_the_others_stored():
    station = sensor.Station(CONFIG).start()
    body, records = batch(0)
    lines = body.splitlines(keepends=True)
    bad = [b"not line protocol", b"cpu,host=a usage_idle=93 1740000000000000000",
           b"m,channel=17,id=1 humidity=5"]
    for i, line in enumerate(bad):
        lines.insert(1000 * (i + 1), line + b"\n")
    answer = write_lines(station, b"".join(lines))
    equal((answer.status, answer.headers["Hearth-Readings"]),
          (204, f"accepted={BATCH_LINES}, duplicate=0, quarantined=3"))
    equal(station.export(), sorted(records), "what comes back")
    kept = station.quarantined()
    equal(sorted(entry["raw"].encode() for entry in kept), sorted(bad), "quarantine")
    equal({entry["source"] for entry in kept}, {"influx"})
    [line] = station.pool.log_lines("readings_rejected")
    equal((line["dialect"], line["quarantined"], line["accepted"]), ("influx", 3, BATCH_LINES))


# ---- curl ----

def curl(*arguments):
    """(status, body)."""
    done = subprocess.run(["curl", "-sS", "-m", "60", "-w", "\n%{http_code}", *arguments],
                          capture_output=True, text=True, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body


def packed_file(content):
    path = os.path.join(tap.directory(), "body.gz")
    with gzip.open(path, "wb") as file:
        file.write(content)
    return path


@test
def curl_writes_packed_batches_and_asks_the_two_questions():
    station = sensor.Station(CONFIG).start()
    url, body = station.front.url, batch(0)
    token = ["-H", f"Authorization: Token {station.token}"]
    packed = ["-H", "Content-Encoding: gzip", "--data-binary", "@" + packed_file(body[0])]
    equal(curl(*token, *packed, f"{url}/api/v2/write?org=o&bucket=b&precision=ns"), (204, ""))
    equal(curl("-u", f"us:{station.token}", *packed, f"{url}/write?db=db"), (204, ""))
    equal(station.export(), sorted(body[1]), "what comes back")
    equal(curl("-I", f"{url}/ping")[0], 204)
    equal(curl(*token, f"{url}/query", "--data-urlencode", "q=CREATE DATABASE db"),
          (200, '{"results":[{"statement_id":0}]}\n'))
    status, shown = curl(*token, "-G", f"{url}/query", "--data-urlencode", "q=SHOW DATABASES")
    equal((status, json.loads(shown)["results"][0]["series"][0]["values"]), (200, [["hearth"]]))
    status, told = curl(*token, "-G", f"{url}/query", "--data-urlencode", "q=SELECT * FROM x")
    equal((status, list(json.loads(told))), (400, ["error"]))


# ---- Bodies that are not as they should be ----

def forms(station):
    """(name, method, target, headers) of each dialect."""
    token = {"Authorization": f"Bearer {station.token}"}
    return [("binary", "POST", "/data", {**token, "Content-Type": "application/octet-stream"}),
            ("json", "PUT", "/data", {**token, "Content-Type": "application/json"}),
            ("lines", "PUT", "/data", {**token, "Content-Type": "application/x-ndjson"}),
            ("influx", "POST", "/write", token),
            ("influx 2", "POST", "/api/v2/write", token)]


GOOD = {"binary": sensor.encode({"time_ms": 1740000000000, "humidity": 5, "raw": 4095}),
        "json": b'{"channel":1,"rolling_code":1,"humidity":5,"time":"2025-03-01 00:00:00Z"}',
        "lines": b'{"channel":2,"rolling_code":1,"humidity":5,"time":"2025-03-01 00:00:00Z"}\n',
        "influx": b"m,channel=3,id=1 humidity=5 1740000000000000000\n",
        "influx 2": b"m,channel=4,id=1 humidity=5 1740000000000000000\n"}


@test
def a_malformed_body_is_told_so_or_kept():
    station = sensor.Station(CONFIG).start()
    expected = {"binary": 400, "json": 400, "lines": 200, "influx": 204, "influx 2": 204}
    for name, method, target, headers in forms(station):
        answer = station.request(method, target, b"\xff{malformed", headers)
        equal(answer.status, expected[name], name)
        answer = station.request(method, target, b"\x1f\x8bmalformed",
                                 {**headers, "Content-Encoding": "gzip"})
        equal(answer.status, 400, name)
    equal(station.export(), [], "stored")
    equal(len(station.quarantined()), 3, "quarantine")


@test
def a_huge_body_is_413_packed_or_not():
    station = sensor.Station(CONFIG).start()
    bomb = gzip.compress(b"\n" * (16 * BODY_BYTES))
    for name, method, target, headers in forms(station):
        equal(station.request(method, target, b"\n" * (BODY_BYTES + 1), headers).status, 413, name)
        answer = station.request(method, target, bomb, {**headers, "Content-Encoding": "gzip"})
        equal(answer.status, 413, name)
        equal(station.request(method, target, GOOD[name], headers).status // 100, 2, name)
    equal(len(station.export()), len(GOOD), "stored")


@test
def a_slow_body_is_waited_for_and_one_that_breaks_off_is_nothing():
    station = sensor.Station({**CONFIG, "pool.workers": 1}).start()
    held = []
    for name, method, target, headers in forms(station)[:3]:  # of four threads
        body = GOOD[name]
        head = (fcgi.begin() + fcgi.params(1, fcgi.cgi(method, target, list(headers.items()),
                                                       len(body))) + fcgi.params(1, None))
        slow, broken = station.pool.connect(), station.pool.connect()
        slow.send(head)
        for i in range(len(body)):
            slow.send(fcgi.stdin(1, body[i:i + 1]))
            time.sleep(0.002)
        slow.send(fcgi.stdin(1, b""))
        equal(slow.receive().status // 100, 2, name)
        broken.send(head, fcgi.stdin(1, body[:5]))
        held.append(broken)
    # Three wait for bodies that do not come; the rest of the station goes on.
    name, method, target, headers = forms(station)[3]
    equal(station.request(method, target, GOOD[name], headers).status, 204)
    for broken in held:
        broken.close()
    equal(len(station.export()), 4, "stored")
    equal(station.quarantined(), [], "quarantine")


# ---- All at once ----

class Ledger:
    """What was acknowledged, by identity; only ever added to."""

    def __init__(self):
        self.records = {}
        self.refused = collections.Counter()
        self.acknowledged = collections.Counter()

    def add(self, sender, records):
        added = {sensor.identity(record): record for record in records}
        self.records.update(added)
        self.acknowledged[sender] += len(added)


class Sender:
    """Calls `send(thing)` for each thing of `source`, again until it is acknowledged."""

    def __init__(self, name, ledger, source, send):
        self.name, self.ledger, self.source, self.send = name, ledger, source, send
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        tap.cleanup(self.end)

    def _run(self):
        for thing, records in self.source:
            while not self._try(thing):
                self.ledger.refused[self.name] += 1
                time.sleep(0.01)
            self.ledger.add(self.name, records)
            if self.ended.is_set():
                return

    def _try(self, thing):
        try:
            return self.send(thing)
        except (OSError, http.client.HTTPException):
            return False

    def end(self):
        self.ended.set()
        self.thread.join()


class Relay:
    """Stands between rtl_433 and the station and writes down what was acknowledged."""

    def __init__(self, station, ledger):
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(relay.pass_on(self.path, body, dict(self.headers)))
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.station, self.ledger = station, ledger
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever).start()
        tap.cleanup(self.end)

    def pass_on(self, path, body, headers):
        """The status. rtl_433 sends nothing again."""
        try:
            answer = self.station.request("POST", path, body, headers)
        except (OSError, http.client.HTTPException):
            return 503
        if answer.status == 204:
            self.ledger.add("rtl_433", map(record_of_line, body.decode().splitlines()))
        return answer.status

    def end(self):
        self.server.shutdown()
        self.server.server_close()


def record_of_line(line):
    """Of a line of rtl_433 (without the escapes that it never needs)."""
    series, fields, ns = line.split()
    values = dict(pair.split("=") for pair in (series.partition(",")[2] + "," + fields).split(","))
    return sensor.encode({
        "time_ms": int(ns) // 1000000, "channel_minus_1": int(values["channel"]) - 1,
        "rolling_code": int(values["id"]), "raw": round(float(values["temperature_F"]) * 10) + 400,
        "humidity": int(values["humidity"]), "battery_low": 1 - int(values["battery_ok"])})


def real_readings():
    """The station's, then as many as it takes."""
    with open(tap.shared_data("f007th-readings.jsonl"), encoding="utf-8") as file:
        lines = [line.strip() for line in file if "\0" not in line]
    return ((line, [sensor.record_of(json.loads(line))])
            for line in itertools.chain(lines, sensor.made_up_readings(10**9)))


def batches(first, pause_s):
    for number in range(first, first + 1000):
        yield batch(number)
        time.sleep(pause_s)


def curl_sender(station):
    def send(body):
        return curl("-H", f"Authorization: Token {station.token}", "-H", "Content-Encoding: gzip",
                    "--data-binary", "@" + packed_file(body),
                    f"{station.front.url}/api/v2/write?bucket=b")[0] == 204
    return send


def check(station, ledger):
    """What was acknowledged before the question is part of the answer, which has nothing twice."""
    acknowledged = dict(ledger.records)
    stored = station.export()
    identities = {sensor.identity(record): record for record in stored}
    equal(len(identities), len(stored), "readings stored twice")
    missing = [r.hex() for i, r in acknowledged.items() if identities.get(i) != r]
    equal(missing[:5], [], f"acknowledged and gone, {len(missing)} of {len(acknowledged)}")
    return stored


def kill_pool(pool):
    """Every process at once, the master first, so that nobody is started again."""
    pids = pool.all_pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    pool.process.wait()


def kill_keeper(pool):
    keeper = eventually(pool.keeper_pid, what="a keeper")
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: pool.keeper_pid() not in (None, keeper), what="another keeper")


def seed():
    number = int(os.environ.get("HEARTH_SEED", str(time.time_ns() % 10**9)))
    print(f"# HEARTH_SEED={number}", flush=True)
    random.seed(number)


@test
def all_at_once_with_kills_in_between_lose_nothing_that_was_acknowledged():
    seed()
    station = sensor.Station(CONFIG).start()
    ledger = Ledger()
    senders = [
        Sender("json", ledger, real_readings(), station.send),
        Sender("influx", ledger, batches(0, BATCH_PAUSE_S),
               lambda body: write_lines(station, body).status == 204),
        Sender("curl", ledger, batches(1000, BATCH_PAUSE_S), curl_sender(station))]
    relay = Relay(station, ledger)
    radio = None
    for kill in range(KILLS):
        if radio is None or radio.process.poll() is not None:
            radio = Radio(f"127.0.0.1:{relay.port}/write?db=db&u=us&p={station.token}")
        time.sleep(1.02 + random.uniform(0.01, 0.5))  # a keeper that dies young is replaced slowly
        if kill % 2:
            kill_pool(station.pool)
            station.pool.start()
        else:
            kill_keeper(station.pool)
        eventually(lambda: station.request("GET", "/readyz").status == 200, what="readiness")
        check(station, ledger)
    radio.wait()
    for sender in senders:
        sender.end()
    stored = check(station, ledger)
    extra = [r for r in stored if sensor.identity(r) not in ledger.records]
    assert all(map(is_the_radio_s, extra)), "stored, and never acknowledged by who sends it again"
    equal(station.quarantined(), [], "quarantine")
    assert sum(ledger.refused.values()) > 0, "no kill ever hit a request: the test does not test"
    for name in ("json", "influx", "curl", "rtl_433"):
        assert ledger.acknowledged[name] > 0, f"{name} sent nothing: {ledger.acknowledged}"
    print(f"# {KILLS} kills; acknowledged {dict(ledger.acknowledged)}, "
          f"sent again {dict(ledger.refused)}, stored {len(stored)}")


if __name__ == "__main__":
    main()
