"""sensor.py - readings for the integration tests: the record, said once more in Python, and a sender.

    station = Station().start()                      # a pool behind nginx, with a token
    status, answer = station.put('{"channel": 1, ...}')
    records = station.export()                       # [12 bytes, ...]

The sender does as the real one does: a new connection for each reading, and 200 is the only answer
that means stored. The codec here shares nothing with the program's; the vectors hold both together.
"""
import base64
import collections
import datetime
import http.client
import json
import os
import subprocess
import time

from support import tap
from support.fronts import Front
from support.pool import Pool

RAW_ABSENT, HUMIDITY_ABSENT = 4095, 127
SENDER, SERVER, SUSPECT, IMPORTED = range(4)
RELOAD_MS = 10
FIELDS = (("version", 2), ("time_ms", 42), ("channel_minus_1", 4), ("rolling_code", 8), ("scale", 1),
          ("raw", 12), ("humidity", 7), ("battery_low", 1), ("signal", 7), ("relay", 1),
          ("occupied", 1), ("time_quality", 2))


# ---- The record ----

def checksum(data):
    """CRC-8/AUTOSAR, bit by bit."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x2F if crc & 0x80 else crc << 1) & 0xFF
    return crc ^ 0xFF


def encode(fields):
    """12 bytes of a dictionary with the names of FIELDS; what is missing is 0."""
    number = 0
    for name, width in FIELDS:
        value = fields.get(name, 0)
        assert 0 <= value < 1 << width, (name, value)
        number = number << width | value
    body = number.to_bytes(11, "big")
    return body + bytes([checksum(body)])


def decode(record):
    assert len(record) == 12 and checksum(record[:11]) == record[11], record.hex()
    number, fields = int.from_bytes(record[:11], "big"), {}
    for name, width in reversed(FIELDS):
        fields[name] = number & (1 << width) - 1
        number >>= width
    return fields


def identity(record):
    """Two readings are the same when all but time quality and checksum is."""
    return int.from_bytes(record, "big") >> 10


def record_of(reading):
    """The record that a reading in the station's JSON must become (unit tenths_f)."""
    when = datetime.datetime.strptime(reading["time"], "%Y-%m-%d %H:%M:%S%z")
    return encode({
        "time_ms": int(when.timestamp()) * 1000,
        "channel_minus_1": int(reading["channel"]) - 1,
        "rolling_code": reading["rolling_code"],
        "raw": reading["temperature"] + 400,
        "humidity": reading["humidity"],
        "battery_low": 0 if reading["battery_ok"] else 1,
    })


def records_of(content):
    assert len(content) % 12 == 0, len(content)
    return [content[i:i + 12] for i in range(0, len(content), 12)]


def made_up_readings(count, start="2025-03-01 00:00:00-0700"):
    """Lines like the station's, each another reading."""
    began = datetime.datetime.strptime(start, "%Y-%m-%d %H:%M:%S%z")
    for i in range(count):
        when = began + datetime.timedelta(seconds=7 * i)
        yield json.dumps({
            "time": when.strftime("%Y-%m-%d %H:%M:%S%z"), "type": "F007TH",
            "channel": str(1 + i % 8) if i % 3 else 1 + i % 8, "rolling_code": i * 37 % 256,
            "temperature": i * 13 % 1200 - 200, "humidity": i * 7 % 101,
            "battery_ok": i % 50 != 0})


# ---- A station: a pool behind nginx ----

Answer = collections.namedtuple("Answer", "status body headers")


class Station:
    """`config`: keys of hearth.conf besides those of the Pool."""

    def __init__(self, config=None, directory=None):
        defaults = {"auth.reload_interval_ms": RELOAD_MS}  # a new token holds at once
        self.pool = Pool("hearth-fcgi", {**defaults, **(config or {})}, dir=directory)
        self.front = None
        self.token = None

    def start(self):
        os.makedirs(os.path.join(self.pool.dir, "state"), exist_ok=True)
        self.token = self.new_token("station", "data:write,data:read")
        return self._begin()

    def _begin(self):
        self.pool.start()
        self.front = Front("nginx", self.pool.socket, tap.directory()).start()
        return self

    def restart(self):
        """Ends the pool in peace (the front first: the pool waits for its kept connections)."""
        self.front.stop()
        tap.equal(self.pool.stop(), 0, "the pool's exit code")
        return self._begin()

    def new_token(self, name, scopes, *more):
        done = subprocess.run(
            [os.path.join(tap.BUILD, "hearth"), "--config", self.pool.config_file, "token", "new",
             "--name", name, "--scope", scopes, "--json", *more],
            check=True, capture_output=True, text=True)
        time.sleep(2 * RELOAD_MS / 1000)
        return json.loads(done.stdout)["token"]

    def request(self, method, target, body=None, headers=None, timeout=30.0):
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.front.port, timeout=timeout)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.headers)
        finally:
            connection.close()

    def put(self, body, content_type="application/json", token=None, method="PUT"):
        """(status, the answer as a dictionary, or its text)."""
        headers = {"Authorization": self.token if token is None else token,
                   "Content-Type": content_type}
        answer = self.request(method, "/data", body, headers)
        return answer.status, parsed(answer.body)

    def send(self, body):
        """As the station's sender: True when it was stored, else it will be sent again."""
        try:
            return self.put(body)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def export(self, query="", token=None):
        token = self.token if token is None else token
        answer = self.request("GET", "/api/v1/export.bin" + query,
                              headers={"Authorization": "Bearer " + token} if token else {})
        assert answer.status == 200, answer
        return records_of(answer.body)

    def sensor_directory(self):
        return self.pool.config.get("sensor.directory") or \
            os.path.join(self.pool.dir, "state", "sensor")

    def manifest(self):
        """[a row as a dictionary, ...] of the manifest, as far as it is whole."""
        directory, rows = os.path.join(self.sensor_directory(), "manifest"), []
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            if name.endswith(".ndjson"):
                with open(os.path.join(directory, name), encoding="ascii") as file:
                    rows += [json.loads(line) for line in file if line.endswith("\n")]
        while rows and rows[-1]["part"] != rows[-1]["parts"]:
            rows.pop()
        return rows

    def stored_bytes(self):
        """The sum of the sizes of the files that readings stand in: live ones and sealed ones."""
        live, rows = os.path.join(self.sensor_directory(), "live"), self.manifest()
        sealed = max((row["sequence"] for row in rows), default=0)
        names = [name for name in os.listdir(live) if int(name.split(".")[0]) > sealed]
        paths = [os.path.join("live", name) for name in names] + [row["file"] for row in rows]
        return sum(os.path.getsize(os.path.join(self.sensor_directory(), path)) for path in paths)

    def quarantined(self):
        """[the bytes that came, ...] of what is in quarantine."""
        directory, found = os.path.join(self.sensor_directory(), "quarantine"), []
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            with open(os.path.join(directory, name), "rb") as file:
                found += [json.loads(line) for line in file if line.strip()]
        return found


def parsed(body):
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def basic(token):
    return "Basic " + base64.b64encode(b"any:" + token.encode()).decode()
