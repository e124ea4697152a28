#!/usr/bin/python3
"""The commands over the store of readings, as a person and a script use them: without a pool, and
while one runs."""
import collections
import csv
import hashlib
import glob
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import sensor  # noqa: E402
from support.pool import suspend  # noqa: E402
from support.tap import (BUILD, cleanup, directory, equal, eventually, full, main,  # noqa: E402
                         shared_data, skip, test)

HEARTH = os.path.join(BUILD, "hearth")
END = "2025-06-01"
DAY_MS = 86400000
SANITIZERS = ("Sanitizer", "runtime error")


class Place:
    """A configuration with its state in a directory of its own; a command a call."""

    def __init__(self, text=""):
        self.dir = directory()
        self.config = os.path.join(self.dir, "hearth.conf")
        self.store = os.path.join(self.dir, "state", "sensor")
        with open(self.config, "w") as file:
            file.write(f'state: {{ directory = "{self.dir}/state"; }};\n{text}')

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def stored(self, *names):
        return os.path.join(self.store, *names)

    def start(self, *arguments, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([HEARTH, "--config", self.config, *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def run(self, *arguments, input=None, **options):
        done = subprocess.run([HEARTH, "--config", self.config, *arguments], input=input,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
                              **options)
        assert not any(word in done.stderr for word in SANITIZERS), done.stderr[-4000:]
        return done

    def good(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments, **options):
        return json.loads(self.good(*arguments, "--json", **options))

    def bad(self, code, words, *arguments, **options):
        done = self.run(*arguments, **options)
        equal(done.returncode, code, f"exit code of {arguments}: {done.stdout}{done.stderr}")
        assert words in done.stderr, f"{words!r} is not in {done.stderr!r}"
        return done

    def demo(self, *arguments):
        return self.json("demo", "--end", END, *arguments)

    def records(self):
        """What the store has, through an export."""
        self.good("export", "--quiet", "--output", self.path("all.bin"))
        return read_records(self.path("all.bin"))

    def line(self, number):
        return json.dumps({"time": f"2025-03-01T00:00:{number % 60:02}Z", "channel": 1,
                           "rolling_code": 7, "temperature": number // 60 + 1, "humidity": 40})


def read_records(path):
    with open(path, "rb") as file:
        return sensor.records_of(file.read())


def write(path, content):
    with open(path, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)
    return path


def sealed_files(place):
    found = []
    for top in ("sealed", "suspect"):
        for base, _, names in os.walk(place.stored(top)):
            found += [os.path.relpath(os.path.join(base, name), place.store) for name in names]
    return sorted(found)


# ---- demo ----

@test
def demo_makes_as_many_readings_a_day_as_it_is_told_of_eight_transmitters():
    place = Place()
    for a_day, years in ((4000, "0.05"), (17000, "0.014")):
        said = place.demo("--years", years, "--readings-per-day", str(a_day),
                          "--output", place.path("a.bin"))
        records = [sensor.decode(r) for r in read_records(place.path("a.bin"))]
        equal(said["readings"], len(records))
        equal({r["channel_minus_1"] for r in records}, set(range(8)))
        days = collections.Counter(r["time_ms"] // DAY_MS for r in records)
        whole = sorted(days.values())[1:]
        middle = whole[len(whole) // 2]
        assert abs(middle - a_day) < 0.03 * a_day, (a_day, middle)
        assert all(r["time_ms"] < 1748736000000 for r in records), "nothing after the end"


@test
def demo_sends_only_changes_and_every_hundredth_late():
    place = Place()
    said = place.demo("--years", "0.25", "--readings-per-day", "1000", "--output", place.path("a.bin"))
    records = [sensor.decode(r) for r in read_records(place.path("a.bin"))]
    share = said["late"] / len(records)
    assert 0.007 < share < 0.013, share
    newest, behind = 0, []
    for r in records:
        newest = max(newest, r["time_ms"])
        if newest - r["time_ms"] > 3600000:
            behind.append(newest - r["time_ms"])
    assert abs(len(behind) - said["late"]) < 0.02 * len(records), (len(behind), said["late"])
    assert max(behind) > DAY_MS, "some are days late"
    last = {}
    for r in sorted(records, key=lambda r: (r["time_ms"], r["channel_minus_1"])):
        value = (r["raw"], r["humidity"])
        assert last.get(r["channel_minus_1"]) != value, "a reading that is no change"
        last[r["channel_minus_1"]] = value


@test
def demo_is_the_same_for_the_same_seed_and_in_every_form():
    place = Place()
    for name in ("a.bin", "b.bin", "c.bin", "a.jsonl", "a.csv"):
        seed = "2" if name == "c.bin" else "1"
        place.demo("--years", "0.02", "--seed", seed, "--output", place.path(name))
    a, b, c = (read_records(place.path(n)) for n in ("a.bin", "b.bin", "c.bin"))
    equal(a == b, True, "the same seed")
    assert a != c and len(a) > 1000, "another seed"
    place.json("import", place.path("a.bin"))
    for name in ("a.jsonl", "a.csv"):
        [file] = place.json("import", place.path(name))["files"]
        equal((file["accepted"], file["duplicate"], file["quarantined"]), (0, len(a), 0), name)


@test
def demo_looks_like_a_house_through_the_year():
    place = Place()
    place.demo("--years", "1", "--readings-per-day", "800", "--output", place.path("a.bin"))
    records = [sensor.decode(r) for r in read_records(place.path("a.bin"))]
    fahrenheit = collections.defaultdict(list)
    for r in records:
        month = time.gmtime(r["time_ms"] / 1000).tm_mon
        fahrenheit[r["channel_minus_1"] + 1, month].append((r["raw"] - 400) / 10)
        assert 5 <= r["humidity"] <= 100 and 0 <= r["raw"] < 4095
    mean = {key: sum(values) / len(values) for key, values in fahrenheit.items()}
    assert mean[6, 7] - mean[6, 1] > 25, "outside, July is warmer than January"
    assert abs(mean[1, 7] - mean[1, 1]) < 15, "the living room is heated"
    freezer = [v for (channel, _), values in fahrenheit.items() if channel == 4 for v in values]
    assert sorted(freezer)[len(freezer) // 2] < 6 and max(freezer) > 18, "cold, and it defrosts"
    low = sum(r["battery_low"] for r in records)
    assert 0 < low < len(records) / 10, "some have a low battery"
    codes = {(r["channel_minus_1"], r["rolling_code"]) for r in records}
    assert len(codes) > 8, "batteries were changed"
    gaps = place.json("import", place.path("a.bin")) and place.json("stat")["series"]
    assert sum(s["gaps"] for s in gaps) > 8, "there are gaps"


@test
def demo_goes_into_the_store_with_names_and_seals_day_by_day():
    place = Place()
    said = place.demo("--years", "0.6", "--readings-per-day", "200", "--names")
    equal(said["accepted"], said["readings"])
    listed = place.json("series", "list")["series"]
    equal([s["id"] for s in listed], ["living-room", "kitchen", "bedroom", "freezer", "cellar",
                                      "outside", "attic", "greenhouse"], "all of them named")
    equal(sum(s["count"] for s in listed), said["readings"], "each reading has its series")
    equal(sum(len(s["transmitters"]) for s in listed), 8 + said["batteries"])
    days = collections.Counter(name.split(".")[0] for name in sealed_files(place))
    assert len(days) > 200 and max(days.values()) > 1, "late ones are in files of their own"
    equal(place.json("verify")["good"], True)
    place.bad(1, "there is a series living-room already", "demo", "--years", "0.01", "--names")
    again = place.demo("--years", "0.6", "--readings-per-day", "200")
    equal((again["accepted"], again["duplicate"]), (0, said["readings"]), "once more")


@test
def demo_refuses_what_it_cannot_do():
    place = Place()
    place.bad(2, "--years 0: a number from 0.001 to 100", "demo", "--years", "0")
    place.bad(2, "--readings-per-day x", "demo", "--readings-per-day", "x")
    place.bad(2, "must end in .bin, .jsonl or .csv", "demo", "--output", "a.txt")
    place.bad(2, "begin before 1970", "demo", "--years", "60", "--end", "2020-01-01")
    place.bad(2, "--end soon", "demo", "--end", "soon")
    place.bad(1, "No such file", "demo", "--years", "0.01", "--output", place.path("no", "a.bin"))
    assert not os.path.exists(place.store), "nothing was made"


# ---- import ----

@test
def every_line_of_the_real_file_comes_in():
    place, path = Place(), shared_data("f007th-readings.jsonl")
    [file] = place.json("import", path)["files"]
    equal((file["accepted"] + file["duplicate"], file["quarantined"], file["nul_bytes"]),
          (2431, 0, 146), "all lines, also the one behind the NUL bytes")
    with open(path, "rb") as lines:
        sent = {sensor.identity(sensor.record_of(json.loads(line.lstrip(b"\0"))))
                for line in lines if line.strip()}
    equal({sensor.identity(r) for r in place.records()}, sent, "they are those of the file")
    [again] = place.json("import", path)["files"]
    equal((again["accepted"], again["duplicate"]), (0, 2431), "once more")


@test
def what_is_no_reading_is_counted_by_reason_with_its_first_lines():
    place = Place()
    lines = [place.line(1), "no JSON", place.line(2), '{"channel":1}', "", place.line(3), "neither"]
    path = write(place.path("a.jsonl"), "\n".join(lines))
    [file] = place.json("import", path)["files"]
    equal((file["accepted"], file["quarantined"]), (3, 3))
    equal(file["reasons"], {"NOT_JSON": {"count": 2, "lines": [2, 7]},
                            "MISSING_MEMBER": {"count": 1, "lines": [4]}})
    text = place.good("import", path)
    assert "0 accepted, 3 duplicate, 3 quarantined" in text, text
    assert "NOT_JSON" in text and "line 2, 7" in text, text
    kept = "".join(open(place.stored("quarantine", name)).read()
                   for name in sorted(os.listdir(place.stored("quarantine"))))
    assert "neither" in kept and "no JSON" in kept, kept


@test
def a_file_without_a_reading_is_a_failure():
    place = Place()
    path = write(place.path("a.jsonl"), "no\nJSON\n")
    for more in ((), ("--dry-run",), ("--restart",)):
        place.bad(1, "nothing in it is a reading", "import", path, *more)
    good = write(place.path("b.jsonl"), place.line(1) + "\n")
    done = place.run("import", "--json", path, good)
    equal((done.returncode, [f["accepted"] for f in json.loads(done.stdout)["files"]]), (1, [0, 1]))
    place.good("import", write(place.path("empty.jsonl"), ""))


@test
def a_dry_run_stores_nothing():
    place = Place()
    path = write(place.path("a.jsonl"), place.line(1) + "\nnone\n")
    [file] = place.json("import", "--dry-run", path)["files"]
    equal((file["readings"], file["quarantined"]), (1, 1))
    assert not os.path.exists(place.store), "nothing was made"
    assert "nothing was stored" in place.good("import", "--dry-run", path)


@test
def csv_records_and_standard_input_come_in():
    place = Place()
    text = ("time,channel,rolling_code,temperature_C,humidity\n"
            "2025-09-14 18:04:51,3,14,21.5,40\n2025-09-14 18:05:51,3,14,21.6,40\n")
    [file] = place.json("import", write(place.path("a.csv"), text), "--time-zone",
                        "America/Denver")["files"]
    equal((file["format"], file["accepted"]), ("csv", 2))
    first = sensor.decode(place.records()[0])
    equal((first["time_ms"], first["raw"], first["scale"]), (1757894691000, 1215, 1))
    records = b"".join(place.records())
    other = Place()
    done = subprocess.run([HEARTH, "--config", other.config, "import", "--json", "--format", "bin",
                           "-"], input=records + b"abcde", stdout=subprocess.PIPE)
    equal(done.returncode, 0)
    [file] = json.loads(done.stdout)["files"]
    equal((file["accepted"], file["quarantined"]), (2, 1), "the bytes behind the last record")
    equal([reason["lines"] for reason in file["reasons"].values()], [[3]])
    [file] = json.loads(other.good("import", "--json", "-", input=other.line(4)))["files"]
    equal((file["format"], file["accepted"]), ("jsonl", 1), "known by its beginning")


@test
def the_unit_of_a_bare_temperature_can_be_said():
    place = Place()
    path = write(place.path("a.jsonl"), place.line(60))  # temperature 2
    for unit, raw in (("tenths_f", 402), ("f", 420), ("c", 1020)):
        place.good("import", "--restart", "--unit", unit, path)
        assert raw in {sensor.decode(r)["raw"] for r in place.records()}, unit


@test
def import_says_what_is_wrong_with_its_arguments():
    place = Place()
    path = write(place.path("noise"), b"\0\1\2\3")
    place.bad(2, "which file? - is standard input", "import")
    place.bad(2, "- can be read once", "import", "-", "-")
    place.bad(2, "the formats are jsonl, csv and bin", "import", "--format", "xml", path)
    place.bad(2, "the units are tenths_f", "import", "--unit", "k", path)
    place.bad(2, "no such zone", "import", "--time-zone", "Mars/Base", path)
    place.bad(2, "0 to 255", "import", "--rolling-code", "256", path)
    place.bad(1, "No such file", "import", place.path("absent"))
    place.bad(2, "is a directory", "import", place.dir)
    place.bad(2, "say --format jsonl, csv or bin", "import", write(place.path("noise"), "hello"))
    place.bad(1, "No such file", "import", place.path("absent"), "--json")


def big_file(place, readings=400000):
    path = place.path("big.bin")
    place.demo("--years", "1", "--readings-per-day", str(readings // 365), "--output", path)
    return path, read_records(path)


def kill_an_import(place, path):
    """Once the first batch is remembered; gives back what the state says."""
    process = place.start("import", "--quiet", path)
    state = place.stored("import")
    eventually(lambda: os.path.isdir(state) and any(n.endswith(".json") for n in os.listdir(state)),
               60, "the first batch is remembered", step=0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was over before it was killed"
    [name] = [n for n in os.listdir(state) if n.endswith(".json")]
    return json.load(open(os.path.join(state, name)))


def expect_it_goes_on(place, path, left, count):
    done = place.run("import", "--json", path)
    equal(done.returncode, 0, done.stderr)
    assert f"went on at byte {left['position']}" in done.stderr, done.stderr
    [file] = json.loads(done.stdout)["files"]
    equal(file["accepted"] + file["duplicate"], count, "both runs together")
    equal(file["lines"], count)
    equal(os.listdir(place.stored("import")), [], "the state has gone")


@test
def an_import_that_is_killed_goes_on_where_it_stopped():
    place = Place()
    path, records = big_file(place)
    left = kill_an_import(place, path)
    position = left["position"]
    assert 0 < position < len(records) * 12 and position % 12 == 0, position
    expect_it_goes_on(place, path, left, len(records))
    equal(place.records(), sorted(records), "everything is there, once")


@test
def an_import_of_lines_that_is_killed_goes_on_behind_a_line():
    place, whole = Place(), Place()
    path = place.path("big.jsonl")
    count = place.demo("--years", "1", "--readings-per-day", "1000", "--output", path)["readings"]
    whole.good("import", "--quiet", path)
    for _ in range(2):
        shutil.rmtree(place.store, ignore_errors=True)
        left = kill_an_import(place, path)
        with open(path, "rb") as file:
            before = file.read(left["position"])
        assert before.endswith(b"\n") and before.count(b"\n") == left["lines"] < count, left["position"]
        equal(left["accepted"] + left["duplicate"], left["lines"])
        expect_it_goes_on(place, path, left, count)
        equal(place.records(), whole.records(), "as if it had not been killed")


@test
def an_interrupted_import_begins_anew_when_told_or_when_the_file_is_another():
    place = Place()
    path = write(place.path("a.jsonl"), "".join(place.line(i) + "\n" for i in range(50)))
    place.good("import", path)

    def leave_state():
        """As a run that was killed behind 20 lines."""
        place.good("import", path)
        status, head = os.stat(path), open(path, "rb").read(65536)
        name = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:16]
        numbers = dict.fromkeys(("duplicate", "quarantined", "records", "suspect", "rejected",
                                 "ignored", "nul_bytes"), 0)
        content = {"version": 1, "path": os.path.realpath(path), "modified_ns": status.st_mtime_ns,
                   "head_sha256": hashlib.sha256(head).hexdigest(),
                   "manner": "jsonl tenths_f UTC -1", "size": status.st_size,
                   "position": len(head.split(b"\n")[0]) * 0 + sum(
                       len(line) + 1 for line in head.split(b"\n")[:20]),
                   "accepted": 20, "lines": 20, **numbers, "reasons": {}}
        write(place.stored("import", name + ".json"), json.dumps(content))

    def seen():
        [file] = place.json("import", path)["files"]
        return file["accepted"], file["duplicate"], file["lines"]

    leave_state()
    equal(seen(), (20, 30, 50), "it goes on behind line 20")
    leave_state()
    [file] = place.json("import", "--restart", path)["files"]
    equal((file["accepted"], file["duplicate"]), (0, 50), "--restart")
    leave_state()
    os.utime(path, ns=(1, 1))
    equal(seen(), (0, 50, 50), "the file was changed")
    leave_state()
    [file] = place.json("import", "--unit", "c", path)["files"]
    equal(file["accepted"] + file["duplicate"], 50, "read in another way")
    leave_state()
    for name in os.listdir(place.stored("import")):
        write(place.stored("import", name), "{broken")
    equal(seen(), (0, 50, 50), "a state that is damaged is none")


@test
def the_progress_shows_on_a_terminal_and_nowhere_else():
    place = Place()
    path, _ = big_file(place)
    equal(place.run("import", path).stderr.count("\r"), 0, "no terminal")
    shown = {}
    for option in ("--restart", "--quiet"):
        leader, follower = pty.openpty()
        process = place.start("import", option, path)
        process.communicate()
        process = subprocess.Popen([HEARTH, "--config", place.config, "import", option, path],
                                   stdout=subprocess.DEVNULL, stderr=follower,
                                   stdin=subprocess.DEVNULL)
        os.close(follower)
        text = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            text += piece
        os.close(leader)
        equal(process.wait(60), 0)
        shown[option] = text.decode()
    assert "importing" in shown["--restart"] and "%" in shown["--restart"], shown
    assert "importing" not in shown["--quiet"], shown


@test
def a_full_disk_ends_an_import_which_goes_on_when_there_is_room():
    place = Place()
    path, records = big_file(place)
    os.makedirs(place.store)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3072k", "tmpfs", place.store],
                          capture_output=True)
    if done.returncode != 0:
        skip("may not mount a small file system")
    cleanup(subprocess.run, ["umount", "-l", place.store])
    done = place.bad(1, "", "import", "--json", path)
    [file] = json.loads(done.stdout)["files"]
    equal(file["finished"], False)
    assert 0 < file["accepted"] < len(records), file
    assert "goes on where this one stopped" in done.stderr, done.stderr
    subprocess.run(["mount", "-o", "remount,size=64m", place.store], check=True)
    [file] = place.json("import", path)["files"]
    equal(file["accepted"] + file["duplicate"], len(records))
    equal(place.records(), sorted(records))
    equal(place.json("verify")["good"], True)


# ---- export ----

@test
def what_goes_out_comes_in_again():
    place = Place()
    place.demo("--years", "0.05", "--readings-per-day", "1000", "--names")
    records = place.records()
    assert len(records) > 10000 and records == sorted(records)
    for name in ("a.csv", "a.ndjson", "a.bin"):
        path, other = place.path(name), Place()
        place.good("export", "--output", path)
        [file] = other.json("import", path)["files"]
        equal((file["accepted"], file["quarantined"]), (len(records), 0), name)
        equal({sensor.identity(r) for r in other.records()},
              {sensor.identity(r) for r in records}, name)
    said = place.good("export", "--format", "csv")
    assert said == open(place.path("a.csv")).read(), "the same on standard output"


@test
def an_export_keeps_to_its_span_series_unit_and_zone():
    place = Place()
    place.demo("--years", "0.05", "--readings-per-day", "1000", "--names")
    text = place.good("export", "--from", "2025-05-20", "--to", "2025-05-21T12:00:00Z",
                      "--series", "freezer,outside", "--unit", "C", "--time-zone", "Europe/Berlin")
    rows = list(csv.DictReader(text.splitlines()))
    equal({row["series"] for row in rows}, {"freezer", "outside"})
    times = [row["time"] for row in rows]
    assert times == sorted(times) and times[0].startswith("2025-05-20T02:")
    assert all(t.endswith("+02:00") for t in times) and times[-1] < "2025-05-21T14:00:00"
    cold = [float(row["temperature_C"]) for row in rows if row["series"] == "freezer"]
    assert min(cold) < -15, "degrees Celsius"
    place.bad(2, "there is no such series", "export", "--series", "fridge")
    place.bad(2, "--from is after --to", "export", "--from", "2025-05-02", "--to", "2025-05-01")
    place.bad(2, "the formats are csv, ndjson and bin", "export", "--format", "xml")
    place.bad(2, "the units are F and C", "export", "--unit", "K")
    place.bad(1, "there is no store of readings", "export", "--store", place.path("none"))


@test
def an_export_that_fails_leaves_what_was_there():
    place = Place()
    place.demo("--years", "0.05", "--readings-per-day", "1000")
    path = write(place.path("a.csv"), "precious")
    done = subprocess.run(["sh", "-c", 'ulimit -f 100; trap "" XFSZ; exec "$@"', "sh", HEARTH,
                           "--config", place.config, "export", "--output", path],
                          capture_output=True, text=True)
    equal(done.returncode, 1, done.stderr)
    assert path in done.stderr, done.stderr
    equal(open(path).read(), "precious")
    equal(sorted(os.listdir(place.dir)), ["a.csv", "hearth.conf", "state"], "nothing half is left")


# ---- series ----

def send(place, time, channel, code, temperature=700):
    line = json.dumps({"time": time, "channel": channel, "rolling_code": code,
                       "temperature": temperature, "humidity": 40})
    place.good("import", "--quiet", "-", input=line + "\n", )


def series_of(place):
    return {s["id"]: s for s in place.json("series", "list")["series"]}


@test
def a_transmitter_gets_a_name_and_after_a_change_of_battery_keeps_it():
    place = Place()
    send(place, "2025-01-01T00:00:00Z", 5, 107)
    send(place, "2025-02-01T00:00:00Z", 5, 31)
    send(place, "2025-02-02T00:00:00Z", 5, 31)
    listed = series_of(place)
    equal({(i, s["new"], s["count"]) for i, s in listed.items()},
          {("5-107", True, 1), ("5-31", True, 2)})
    place.good("series", "name", "5-107", "Deep Freezer (2)")
    equal(series_of(place)["deep-freezer-2"]["name"], "Deep Freezer (2)")
    place.good("series", "alias", "deep-freezer-2", "5-31")
    freezer = series_of(place)["deep-freezer-2"]
    equal(set(series_of(place)), {"deep-freezer-2"})
    equal(freezer["count"], 3)
    equal([(t["rolling_code"], t["from"], t["to"], t["count"]) for t in freezer["transmitters"]],
          [(107, None, "2025-02-01T00:00:00.000Z", 1), (31, "2025-02-01T00:00:00.000Z", None, 2)])


@test
def summaries_that_are_written_at_once_stay_whole():
    place = Place()
    place.demo("--years", "1", "--readings-per-day", "400", "--seal-every", "30")
    writers = [place.start("summary", "--quiet", "--rebuild") for _ in range(6)]
    for writer in writers:
        said = writer.communicate()
        equal(writer.returncode, 0, said)
    place.good("verify", "--quiet")


@test
def a_name_that_cannot_be_kept_is_not_said_to_be_given():
    place = Place()
    send(place, "2025-01-01T00:00:00Z", 5, 107)
    os.mkdir(place.stored("series.json.new"))  # where the new content would go
    failed = place.run("series", "name", "5-107", "Freezer")
    equal(failed.returncode, 1)
    assert "nothing was changed" in failed.stderr and "is now" not in failed.stderr, failed.stderr
    os.rmdir(place.stored("series.json.new"))
    assert "5-107 is now the series freezer" in place.run("series", "name", "5-107", "Freezer").stderr


@test
def a_code_that_comes_again_is_counted_where_it_belongs():
    place = Place()
    send(place, "2025-01-01T00:00:00Z", 5, 107)
    send(place, "2025-03-01T00:00:00Z", 5, 107)
    send(place, "2025-04-01T00:00:00Z", 5, 107)
    place.good("series", "name", "6-1", "Attic")
    place.good("series", "forget", "attic", "6-1")
    place.good("series", "alias", "attic", "5-107", "--from", "2025-02-01", "--to", "2025-03-15")
    listed = series_of(place)
    equal((listed["attic"]["count"], listed["5-107"]["count"]), (1, 2))
    equal(listed["5-107"]["last"], "2025-04-01T00:00:00.000Z")


@test
def names_units_places_and_limits_change_and_go_back():
    place = Place()
    send(place, "2025-01-01T00:00:00Z", 5, 107)
    place.good("series", "name", "5-107", "K\u00fcche", "--id", "kitchen")
    place.good("series", "name", "kitchen", "The kitchen")
    place.good("series", "unit", "kitchen", "C")
    place.good("series", "place", "kitchen", "Ground floor")
    place.good("series", "limit", "kitchen", "90m")
    kitchen = series_of(place)["kitchen"]
    equal((kitchen["name"], kitchen["unit"], kitchen["place"], kitchen["stale_after_s"]),
          ("The kitchen", "C", "Ground floor", 5400))
    table = place.good("series", "list")
    assert "The kitchen" in table and "1:30:00" in table, table
    place.good("series", "unit", "kitchen", "default")
    place.good("series", "limit", "kitchen", "default")
    kitchen = series_of(place)["kitchen"]
    equal((kitchen["unit"], kitchen["stale_after_s"]), (None, 7200))
    place.good("series", "forget", "kitchen")
    equal(series_of(place)["5-107"]["new"], True)
    equal(len(place.records()), 1, "the reading stays")


@test
def windows_that_overlap_are_refused_with_both_names():
    place = Place()
    send(place, "2025-01-01T00:00:00Z", 5, 107)
    place.good("series", "name", "5-107", "Freezer")
    place.good("series", "name", "6-1", "Attic")
    before = open(place.stored("series.json")).read()
    done = place.bad(1, "overlap", "series", "alias", "attic", "5-107", "--from", "2025-02-01")
    assert "freezer (5-107" in done.stderr and "attic (5-107" in done.stderr, done.stderr
    place.bad(1, "there is no series cellar", "series", "place", "cellar", "down")
    place.bad(1, "another series' transmitter", "series", "name", "5-107", "Other")
    place.bad(1, "there is a series attic already", "series", "name", "7-7", "Attic")
    place.bad(1, "has no reading that could be the first", "series", "alias", "attic", "9-9")
    place.bad(2, "no id can be made of this name", "series", "name", "7-7", "\u96ea")
    place.bad(2, "list, name, alias", "series")
    place.bad(2, "there is no series paint", "series", "paint")
    place.bad(2, "unit takes", "series", "unit", "attic")
    place.bad(2, "the units are F, C and default", "series", "unit", "attic", "K")
    place.bad(2, "a limit is", "series", "limit", "attic", "soon")
    place.bad(2, "takes no --from", "series", "unit", "attic", "F", "--from", "now")
    place.bad(2, "a transmitter is CHANNEL-CODE", "series", "alias", "attic", "x")
    equal(open(place.stored("series.json")).read(), before, "nothing was changed")
    write(place.stored("series.json"), "{}")
    place.bad(1, "version must be 1", "series", "place", "attic", "up")
    equal(open(place.stored("series.json")).read(), "{}")


@test
def many_who_name_series_at_once_lose_nothing():
    place = Place()
    send(place, "2025-01-01T00:00:00Z", 5, 107)
    running = [place.start("series", "name", f"7-{i}", f"Number {i}", "--id", f"n{i}")
               for i in range(12)]
    for process in running:
        _, errors = process.communicate()
        equal(process.returncode, 0, errors)
    content = json.load(open(place.stored("series.json")))
    equal({s["id"] for s in content["series"]}, {f"n{i}" for i in range(12)})


# ---- seal, stat, summary ----

@test
def seal_turns_what_is_live_into_files_by_day():
    place = Place()
    send(place, "2025-01-01T12:00:00Z", 5, 107)
    send(place, "2025-01-02T12:00:00Z", 5, 107)
    equal(sealed_files(place), [])
    equal(place.json("seal"), {"sealed": True, "readings": 2})
    names = sealed_files(place)
    equal([name.rsplit(".", 2)[0] for name in names], ["sealed/2025/01-01", "sealed/2025/01-02"])
    place.good("seal")
    equal(sealed_files(place), names, "nothing more to seal")
    equal(len(place.records()), 2)
    place.bad(1, "there is no store of readings", "seal", "--store", place.path("none"))


@test
def stat_counts_what_is_there():
    place = Place()
    said = place.demo("--years", "0.1", "--names")
    send(place, "1999-01-01T00:00:00Z", 5, 107)
    stat = place.json("stat")
    equal(stat["readings"], said["readings"] + 1)
    equal(stat["suspect"], 1)
    equal(stat["sealed"]["readings"], said["readings"])
    equal(stat["live"]["readings"], 1)
    on_disk = sum(os.path.getsize(place.stored(name)) for name in sealed_files(place))
    equal((stat["sealed"]["files"], stat["sealed"]["bytes"]), (len(sealed_files(place)), on_disk))
    assert 12 <= stat["bytes_per_reading"] < 12.3, stat["bytes_per_reading"]
    assert stat["summary_bytes_per_reading"] < 3, stat["summary_bytes_per_reading"]
    equal(stat["last"], max(s["last"] for s in stat["series"]))
    equal(sum(s["readings"] for s in stat["series"]), said["readings"])
    text = place.good("stat")
    assert "living-room" in text and "bytes with the manifest" in text, text


@test
def stat_counts_without_a_sealed_file_that_cannot_be_read_and_names_it():
    place = Place()
    for day in (1, 2, 3):
        send(place, f"2025-01-0{day}T00:00:00Z", 5, 107)
    place.good("seal")
    first, second, _ = sealed_files(place)
    os.remove(place.stored(first))
    os.truncate(place.stored(second), 5)
    stat = place.json("stat")
    equal(stat["unreadable"], [first, second])
    equal((stat["readings"], stat["sealed"]["readings"], stat["sealed"]["bytes"]), (1, 1, 12))
    equal(stat["first"], "2025-01-03T00:00:00.000Z")
    text = place.good("stat")
    assert f"unreadable  {first}: not counted here" in text, text


@test
def stat_finds_the_gaps_of_each_series():
    place = Place()
    for minute in (0, 60, 120, 480, 500):
        send(place, f"2025-01-01T{minute // 60:02}:{minute % 60:02}:00Z", 5, 107)
    send(place, "2025-01-01T03:00:00Z", 6, 1)
    series = {s["id"]: s for s in place.json("stat")["series"]}
    one = series["5-107"]
    equal((one["readings"], one["gaps"], one["longest_gap_ms"], one["longest_gap_from"]),
          (5, 1, 6 * 3600000, "2025-01-01T02:00:00.000Z"))
    equal(one["coverage"], round((120 + 120 + 20) / 500, 6), "two hours of the gap are covered")
    equal((series["6-1"]["gaps"], series["6-1"]["coverage"]), (0, 1.0))
    place.good("series", "name", "5-107", "Freezer")
    place.good("series", "limit", "freezer", "12h")
    equal({s["id"]: s["gaps"] for s in place.json("stat")["series"]}, {"freezer": 0, "6-1": 0})


@test
def summaries_are_rebuilt_and_are_the_same():
    place = Place()
    place.demo("--years", "0.7", "--readings-per-day", "200")
    names = sorted(os.path.basename(n) for n in glob.glob(place.stored("summary", "*.sum")))
    equal(names, ["2024.sum", "2025.sum"])
    shutil.rmtree(place.stored("summary"))
    checked = place.json("verify")
    assert checked["good"] and checked["days_without_summary"] > 200, checked
    made = place.json("summary", "--rebuild")
    equal(made["years"], 2)
    equal(made["built"], made["days"])
    equal(sorted(os.path.basename(n) for n in glob.glob(place.stored("summary", "*.sum"))), names)
    checked = place.json("verify")
    equal((checked["good"], checked["days_without_summary"]), (True, 0))
    equal(place.json("summary")["built"], 0, "nothing is missing")
    path = place.stored("summary", "2025.sum")
    content = bytearray(open(path, "rb").read())
    content[len(content) // 2] ^= 1
    write(path, bytes(content))
    done = place.run("verify", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1 or found["days_without_summary"] > 0, found
    place.good("summary", "--rebuild", "--year", "2025")
    equal(place.json("verify")["days_without_summary"], 0)
    place.bad(1, "nothing of 1999 is sealed", "summary", "--year", "1999")
    place.bad(2, "--year 99", "summary", "--year", "99")


# ---- verify ----

def small_store():
    """Three sealed files of two live ones, one of them suspect; its rows are the manifest."""
    place = Place()
    for minute in range(4):
        send(place, f"2025-09-14T18:0{minute}:00Z", 5, 107, 700 + minute)
    send(place, "1999-01-01T00:00:00Z", 5, 107)
    place.good("seal")
    send(place, "2025-09-15T00:00:00Z", 6, 1)
    place.good("seal")
    equal(len(sealed_files(place)), 3)
    equal(place.json("verify")["good"], True)
    return place


def flipped(place, name, bits, check):
    """Calls check(bit) for each bit of a file while that bit is flipped."""
    path = place.stored(name)
    content = open(path, "rb").read()
    for bit in bits:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        write(path, bytes(changed))
        check(bit)
    write(path, content)


def bits_of(place, name, sampled):
    count = 8 * os.path.getsize(place.stored(name))
    return range(count) if full() else range(0, count, max(1, count // sampled) | 1)


def problems(place):
    done = place.run("verify", "--json")
    return done.returncode, json.loads(done.stdout)["problems"]


@test
def each_flipped_bit_of_a_sealed_file_is_found_and_the_file_named():
    place = small_store()
    for name in sealed_files(place):
        def check(bit, name=name):
            code, found = problems(place)
            equal(code, 1, f"bit {bit} of {name}")
            assert any(p["where"] == name for p in found), (bit, name, found)
        flipped(place, name, bits_of(place, name, 40), check)
    equal(problems(place), (0, []))
    text = place.good("verify")
    assert "all good" in text, text


@test
def each_flipped_bit_of_the_manifest_is_found_and_its_file_named():
    for place in (small_store(), store_of_one_row()):
        flip_the_manifest(place)


def store_of_one_row():
    place = Place()
    send(place, "2025-09-14T18:00:00Z", 5, 107)
    place.good("seal")
    return place


def flip_the_manifest(place):
    [year] = os.listdir(place.stored("manifest"))
    name = "manifest/" + year

    def check(bit):
        code, found = problems(place)
        equal(code, 1, f"bit {bit} of the manifest")
        where = [p["where"] for p in found]
        assert any(w.startswith("manifest") for w in where), (bit, found)
        assert names[good[:bit // 8].count(b"\n")] in where, (bit, found)
        assert all(os.path.exists(place.stored(w)) for w in where), (bit, found)

    good = open(place.stored(name), "rb").read()
    names = [json.loads(row)["file"] for row in good.splitlines()]
    flipped(place, name, bits_of(place, name, 160), check)
    equal(problems(place), (0, []))


@test
def missing_cut_swapped_and_foreign_files_are_found():
    place = small_store()
    [suspect] = [n for n in sealed_files(place) if n.startswith("suspect")]
    first, second = [n for n in sealed_files(place) if n.startswith("sealed")]

    def expect(where, words):
        code, found = problems(place)
        equal(code, 1)
        assert any(p["where"] == where and words in p["what"] for p in found), (where, words, found)

    aside = place.path("aside")
    for name in (first, suspect):
        os.rename(place.stored(name), aside)
        expect(name, "is missing")
        os.rename(aside, place.stored(name))
    content = open(place.stored(first), "rb").read()
    write(place.stored(first), content[:-12])
    expect(first, "has 36 bytes, and had 48")
    write(place.stored(first), content)
    foreign = first.replace("09-14", "09-13")
    shutil.copy(place.stored(first), place.stored(foreign))
    expect(foreign, "no row of the manifest names it")
    os.remove(place.stored(foreign))
    [year] = os.listdir(place.stored("manifest"))
    manifest = open(place.stored("manifest", year), "rb").read()
    rows = manifest.splitlines(True)
    write(place.stored("manifest", year), b"".join(rows[:-1]))
    expect(second, "no row of the manifest names it")
    write(place.stored("manifest", year), b"".join(rows[1:]))
    equal(problems(place)[0], 1, "the first row is gone")
    write(place.stored("manifest", year), manifest)
    identity = open(place.stored("store.id")).read()
    write(place.stored("store.id"), identity[::-1].strip() + "\n")
    equal(problems(place)[0], 1, "another store's id")
    write(place.stored("store.id"), identity)
    equal(problems(place), (0, []))


def made_by_hand(files):
    """A store of these {name: records}, with a manifest whose hashes are right."""
    place = Place()
    identity = "0123456789abcdef" * 2
    os.makedirs(place.stored("manifest"))
    write(place.stored("store.id"), identity + "\n")
    previous, rows = hashlib.sha256(identity.encode()).hexdigest(), ""
    for name, records in files.items():
        content = b"".join(records)
        os.makedirs(os.path.dirname(place.stored(name)), exist_ok=True)
        write(place.stored(name), content)
        row = (f'{{"sequence":{int(name.split(".")[-2].split("/")[-1])},"part":1,"parts":1,'
               f'"slots":{len(records)},"file":"{name}","records":{len(records)},'
               f'"sha256":"{hashlib.sha256(content).hexdigest()}","previous":"{previous}"')
        row += f',"check":"{zlib.crc32(row.encode()):08x}"}}'
        previous, rows = hashlib.sha256(row.encode()).hexdigest(), rows + row + "\n"
    write(place.stored("manifest", "2025.ndjson"), rows)
    return place


@test
def what_was_sealed_wrongly_is_found_although_its_hash_is_right():
    start = 1757808000000  # 2025-09-14
    a, b, c = (sensor.encode({"time_ms": start + i, "raw": 500, "humidity": 40}) for i in range(3))
    imported = sensor.encode({**sensor.decode(b), "time_quality": 3})
    suspect = sensor.encode({**sensor.decode(b), "time_quality": 2})
    late = sensor.encode({"time_ms": start + DAY_MS, "raw": 500, "humidity": 40})
    day, first, second = "day 2025-09-14", "sealed/2025/09-14.00000001.bin", \
        "sealed/2025/09-14.00000002.bin"
    aside = "suspect/00000002.bin"
    for files, where, words in (
            ({first: [a, b], second: [c]}, None, ""),
            ({first: [a, b], second: [imported, c]}, day, "stands there twice"),
            ({first: [a, b], aside: [suspect]}, day, "among the suspect ones as well"),
            ({first: [a, c], aside: [suspect]}, None, ""),
            ({first: [b, a]}, first, "record 1, byte 12: is not behind the one before"),
            ({first: [a, a]}, first, "is not behind the one before"),
            ({first: [a, late]}, first, "record 1, byte 12: is of another day"),
            ({first: [a, suspect]}, first, "record 1, byte 12: is suspect"),
            ({aside: [a]}, aside, "record 0, byte 0: is not suspect"),
            ({first: [a, bytes(12)]}, first, "record 1, byte 12: CHECKSUM")):
        code, found = problems(made_by_hand(files))
        equal(code, 1 if where else 0, (files, found))
        assert not where or any(p["where"] == where and words in p["what"] for p in found), \
            (where, words, found)


@test
def verify_finds_damage_in_live_files_as_well():
    place = Place()
    for minute in range(4):
        send(place, f"2025-09-14T18:0{minute}:00Z", 5, 107)
    [name] = os.listdir(place.stored("live"))
    equal(problems(place), (0, []))
    content = bytearray(open(place.stored("live", name), "rb").read())
    content[17] ^= 4
    write(place.stored("live", name), bytes(content))
    code, [problem] = problems(place)
    equal((code, problem["where"]), (1, "live/" + name))
    assert "slot 1, byte 12: CHECKSUM" in problem["what"], problem
    place.good("seal")
    equal(problems(place), (0, []), "now it is in quarantine")


@test
def a_live_file_that_cannot_be_read_is_named_and_the_rest_is_looked_at():
    place = Place()
    send(place, "2025-09-14T18:04:51Z", 5, 107)
    os.rename(place.stored("live", "00000001.bin"), place.stored("live", "00000005.bin"))
    place.good("seal")
    before = place.json("stat")
    # Below the sealed one, and not sealed itself; reading a directory is an error.
    os.mkdir(place.stored("live", "00000003.bin"))
    code, found = problems(place)
    equal((code, [p["where"] for p in found]), (1, ["live/00000003.bin"]))
    assert "cannot be read (Is a directory), and is not sealed" in found[0]["what"], found
    stat = place.json("stat")
    equal((stat["readings"], stat["unreadable"]), (before["readings"], ["live/00000003.bin"]))
    assert "unreadable  live/00000003.bin (Is a directory)" in place.good("stat")
    place.bad(1, "00000003.bin", "seal")
    os.rmdir(place.stored("live", "00000003.bin"))
    equal((problems(place), place.json("stat")["unreadable"]), ((0, []), []))


@test
def a_sealed_file_that_cannot_be_read_keeps_no_store_shut():
    place = Place()
    send(place, "2025-09-14T18:04:51Z", 5, 107)
    place.good("seal")
    send(place, "2025-09-14T19:00:00Z", 5, 107)
    before = place.records()
    [name] = sealed_files(place)
    os.rename(place.stored(name), place.path("aside"))
    os.symlink(os.path.basename(name), place.stored(name))  # to itself: opening it is an error
    send(place, "2025-09-15T18:00:00Z", 5, 107)
    place.bad(1, "", "import", "-", input=json.dumps(
        {"time": "2025-09-14T18:04:51Z", "channel": 5, "rolling_code": 107, "temperature": 700}))
    place.good("seal")
    code, found = problems(place)
    equal((code, [p["where"] for p in found]), (1, [name]))
    os.rename(place.path("aside"), place.stored(name))
    equal(problems(place), (0, []))
    equal(len(place.records()), 3)
    assert set(before) < set(place.records())


def contents(place, names):
    return {name: open(place.stored(name), "rb").read() for name in names}


def bring_in(place, names):
    """What a store that is shut says: out of it, and in again."""
    os.makedirs(place.path("out"), exist_ok=True)
    aside = []
    for number, name in enumerate(names):
        aside.append(place.path("out", f"{number}.bin"))
        os.rename(place.stored(name), aside[-1])
    place.good("import", *aside)
    place.good("seal")


@test
def lost_rows_of_the_manifest_keep_the_store_shut_and_nothing_is_sealed_over():
    def cut(path):
        content = open(path, "rb").read().splitlines(True)
        write(path, b"".join(content[:-1]))

    def empty(path):
        write(path, b"")

    for damage, lost in ((cut, 1), (empty, 3), (os.remove, 3)):
        place = small_store()
        names, before = sealed_files(place), place.records()
        held = contents(place, names)
        [year] = os.listdir(place.stored("manifest"))
        damage(place.stored("manifest", year))
        shutil.rmtree(place.stored("live"))
        line = place.line(0)
        done = place.bad(1, "no row of the manifest names it", "import", "-", input=line)
        assert "`hearth import`" in done.stderr, done.stderr
        place.bad(1, "no row of the manifest names it", "seal")
        code, found = problems(place)
        strays = [p["where"] for p in found if "no row of the manifest names it" in p["what"]]
        equal((code, len(strays)), (1, lost), found)
        equal(contents(place, sealed_files(place)), held)
        bring_in(place, strays)
        equal(problems(place), (0, []))
        equal(sorted(place.records()), sorted(before))


@test
def a_broken_manifest_says_where_and_what_to_do_and_the_store_can_be_made_anew():
    place = small_store()
    before = place.records()
    [year] = os.listdir(place.stored("manifest"))
    rows = open(place.stored("manifest", year), "rb").read().splitlines(True)
    write(place.stored("manifest", year), b"".join([rows[0], rows[2]]))
    with open(place.config, "a") as file:
        file.write(f'pool: {{ listen = "unix:{place.path("socket")}"; }};\n')
    pool = subprocess.run([os.path.join(BUILD, "hearth-fcgi"), "--config", place.config], timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    assert pool.returncode > 0, pool.stderr
    seal = place.bad(1, "", "seal")
    for said in (pool.stderr, seal.stderr):
        for words in (f"manifest/{year} line 2", "WHEN VERIFY COMPLAINS", place.store):
            assert words in said, (words, said)
    os.makedirs(place.path("old"))
    for name in ("sealed", "suspect", "manifest", "store.id"):
        os.rename(place.stored(name), place.path("old", name))
    found = [os.path.join(base, name) for base, _, names in os.walk(place.path("old"))
             for name in names if name.endswith(".bin")]
    place.good("import", *found)
    place.good("seal")
    equal(problems(place), (0, []))
    equal(sorted(place.records()), sorted(before))


@test
def a_lost_id_is_named_and_not_made_anew():
    place = small_store()
    before = place.records()
    aside = place.path("store.id")
    os.rename(place.stored("store.id"), aside)
    for command in (("verify",), ("stat",), ("export",), ("seal",), ("series", "list"), ("import", "-")):
        place.bad(1, "store.id is missing", *command, input=place.line(0))
        assert not os.path.exists(place.stored("store.id")), command
    shutil.copy(aside, place.stored("store.id"))
    equal(problems(place), (0, []))
    equal(place.records(), before)
    # Without a copy of it: the readings go out, and come in as those of a new store.
    os.remove(place.stored("store.id"))
    names = sealed_files(place)
    os.makedirs(place.path("out"))
    for directory in ("sealed", "suspect", "manifest"):
        os.rename(place.stored(directory), place.path("out", directory))
    place.good("import", *(place.path("out", name) for name in names))
    place.good("seal")
    equal(problems(place), (0, []))
    equal(sorted(place.records()), sorted(before))
    assert open(place.stored("store.id")).read() != open(aside).read()


@test
def verify_works_on_a_copy_and_changes_nothing():
    place = small_store()
    copy = place.path("copy")
    shutil.copytree(place.store, copy)
    before = {n: os.stat(os.path.join(copy, n)).st_mtime_ns for n in os.listdir(copy)}
    other = Place()
    equal(other.json("verify", "--store", copy)["good"], True)
    equal(other.json("stat", "--store", copy)["readings"], 6)
    equal({n: os.stat(os.path.join(copy, n)).st_mtime_ns for n in os.listdir(copy)}, before)
    other.bad(1, "there is no store of readings in", "verify")


# ---- While a pool runs ----

def pool_place():
    station = sensor.Station().start()
    place = Place()
    place.config = station.pool.config_file
    place.store = station.sensor_directory()
    place.station = station
    return place


@test
def a_file_is_imported_by_one_process_at_a_time():
    place = pool_place()
    path, records = big_file(place)
    first = place.start("import", "--quiet", path)
    state = place.stored("import")
    eventually(lambda: os.path.isdir(state) and any(n.endswith(".json") for n in os.listdir(state)),
               60, "the first batch is remembered", step=0.001)
    suspend(first.pid)
    second = place.run("import", path)
    os.kill(first.pid, signal.SIGCONT)
    equal(second.returncode, 1, second.stderr)
    assert f"another process is importing {path}" in second.stderr, second.stderr
    first.communicate()
    equal(first.returncode, 0)
    equal(os.listdir(state), [], "neither state nor lock stays")
    equal(place.json("import", path)["files"][0]["duplicate"], len(records))


@test
def everything_works_while_a_pool_runs_and_the_pool_sees_it():
    place = pool_place()
    equal(place.station.put('{"time":"2025-09-14T18:04:51Z","channel":5,"rolling_code":107,'
                            '"temperature":744}')[0], 200)
    other = Place()
    other.demo("--years", "0.05", "--output", other.path("a.jsonl"))
    said = other.demo("--years", "0.05", "--output", other.path("a.bin"))
    [file] = place.json("import", other.path("a.jsonl"))["files"]
    equal((file["accepted"], file["quarantined"]), (said["readings"], 0))
    [file] = place.json("import", other.path("a.bin"))["files"]
    equal(file["duplicate"], said["readings"])
    equal(len(place.station.export()), said["readings"] + 1, "the pool's own export")
    equal(place.json("verify")["good"], True)
    equal(place.json("stat")["readings"], said["readings"] + 1)
    equal(place.json("seal")["sealed"], True)
    assert len(sealed_files(place)) > 15
    place.good("series", "name", "5-107", "Freezer")
    equal(series_of(place)["freezer"]["count"], 1)
    equal(len(place.records()), said["readings"] + 1)
    equal(place.json("summary", "--rebuild")["built"] > 15, True)
    checked = place.json("verify")
    equal((checked["good"], checked["days_without_summary"]), (True, 0))
    equal(place.station.put('{"time":"2025-09-14T18:05:51Z","channel":5,"rolling_code":107,'
                            '"temperature":745}')[0], 200)
    equal(len(place.station.export()), said["readings"] + 2)


@test
def an_import_outlives_the_death_of_the_keeper():
    place = pool_place()
    other = Place()
    path, records = big_file(other)
    process = place.start("import", "--json", path)
    eventually(lambda: glob.glob(place.stored("import", "*.json")), 60, "the first batch", step=0.001)
    os.kill(place.station.pool.keeper_pid(), signal.SIGKILL)
    output, errors = process.communicate(timeout=200)
    if process.returncode != 0:  # its connection broke: the same command goes on
        assert "goes on where this one stopped" in errors, errors
        output = place.good("import", "--json", path)
    [file] = json.loads(output)["files"]
    equal(file["accepted"] + file["duplicate"], len(records))
    equal(place.records(), sorted(records))
    equal(place.json("verify")["good"], True)


@test
def verify_finds_nothing_wrong_while_readings_come_in_and_are_sealed():
    place = pool_place()
    other = Place()
    path, _ = big_file(other, 200000)
    importing = place.start("import", path)
    sealing = []
    while importing.poll() is None:
        sealing.append(place.start("seal"))
        code, found = problems(place)
        equal((code, found), (0, []))
        sealing[-1].communicate()
    importing.communicate()
    equal(importing.returncode, 0)
    equal(problems(place), (0, []))


# ---- Help ----

@test
def each_command_has_help_that_names_all_its_options():
    place = Place()
    commands = {"import": "format dry-run restart unit time-zone rolling-code store json quiet",
                "export": "from to series format output unit time-zone store quiet",
                "series": "id from to store json", "stat": "store json quiet",
                "seal": "store json", "verify": "store json quiet",
                "summary": "rebuild year store json quiet",
                "demo": "years readings-per-day end seed names output seal-every store json quiet"}
    for name, options in commands.items():
        text = place.good(name, "--help")
        equal(text, place.good("help", name))
        for option in options.split():
            assert "--" + option in text, (name, option)
        place.bad(2, "unknown option --nonsense", name, "--nonsense")
        assert f"  {name} " in place.good("help"), name


if __name__ == "__main__":
    main()
