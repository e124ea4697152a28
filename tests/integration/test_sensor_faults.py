#!/usr/bin/python3
"""What goes wrong around readings, through real nginx and the pool: a full disk, a second pool, a
keeper that hangs, a reload under load, and requests that are not as they should be."""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import pool as pools  # noqa: E402
from support import sensor, tap  # noqa: E402
from support.pool import suspend  # noqa: E402
from support.tap import cleanup, directory, equal, eventually, full, main, skip, test  # noqa: E402

READING = next(sensor.made_up_readings(1))


def small_disk(kilobytes):
    path = directory()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=755", "tmpfs",
                           path], capture_output=True, text=True)
    if done.returncode != 0:
        skip(f"a small disk takes root: {done.stderr.strip()}")
    cleanup(subprocess.run, ["umount", "-l", path])
    return path


def fill(path):
    """Takes what is left of the disk, but for a few pages."""
    ballast = os.path.join(path, "ballast")
    status = os.statvfs(path)
    with open(ballast, "wb") as file:
        file.write(b"\0" * max(0, (status.f_bavail - 4) * status.f_bsize))
    return ballast


@test
def a_full_disk_refuses_readings_and_recovers_when_there_is_room():
    disk = small_disk(1024)
    station = sensor.Station({"sensor.directory": os.path.join(disk, "sensor"),
                              "sensor.live_bytes": 8192}).start()
    ballast = fill(disk)
    lines, acknowledged = sensor.made_up_readings(100000), set()
    while True:
        batch = [next(lines) for _ in range(50)]
        answer = station.request("PUT", "/data", "\n".join(batch),
                                 {"Authorization": station.token,
                                  "Content-Type": "application/x-ndjson"})
        if answer.status != 200:
            break
        acknowledged.update(sensor.record_of(json.loads(line)) for line in batch)
    equal(answer.status, 503, "a full disk")
    assert int(answer.headers["Retry-After"]) > 0
    problem = json.loads(answer.body)
    equal((problem["status"], problem["title"]), (503, "Disk full"))

    assert acknowledged, "the disk was full from the start: the test does not test"
    missing = acknowledged - set(station.export())
    equal(missing, set(), "reads go on, and all that was acknowledged is there")
    equal(station.request("GET", "/temp").status, 200, "the page")
    equal(station.put(batch[0])[0], 503, "still full")
    equal(station.put('{"channel":99}')[0], 503, "the quarantine needs room too")

    os.remove(ballast)
    eventually(lambda: station.put("\n".join(batch), "application/x-ndjson")[0] == 200, 10,
               "the store takes readings again")
    acknowledged.update(sensor.record_of(json.loads(line)) for line in batch)
    stored = station.export()
    equal(acknowledged - set(stored), set(), "everything acknowledged")
    equal(len({sensor.identity(r) for r in stored}), len(stored), "nothing twice")
    station.restart()
    equal(station.export(), stored, "after a restart")


@test
def a_second_pool_on_the_same_readings_ends_and_says_who_has_them():
    station = sensor.Station().start()
    equal(station.put(READING)[0], 200)
    second = pools.Pool("hearth-fcgi", {"sensor.directory": station.sensor_directory()})
    began = time.monotonic()
    second.start(wait=False)
    assert second.wait() != 0, "the second pool went on"
    said = second.output() + second.log_text()
    holder = station.pool.keeper_pid()
    assert str(holder) in said, f"no word of process {holder}: {said}"
    assert station.sensor_directory() in said, said
    assert time.monotonic() - began < 15, "it took too long"
    equal(station.put(READING)[1]["duplicate"], 1, "the first goes on")


@test
def a_keeper_that_hangs_costs_its_clients_503_and_nobody_else():
    station = sensor.Station({"sensor.commit_timeout_ms": 500}).start()
    equal(station.put(READING)[0], 200)
    keeper = station.pool.keeper_pid()
    lines = list(zip(range(20), sensor.made_up_readings(20)))
    suspend(keeper)
    try:
        began = time.monotonic()
        answer = station.request("PUT", "/data", lines[7][1], {"Authorization": station.token})
        equal(answer.status, 503, answer)
        assert answer.headers["Retry-After"], answer.headers
        assert time.monotonic() - began < 3
        equal(len(station.export()), 1, "reads go on")
        equal(station.request("GET", "/data").status, 200)
    finally:
        os.kill(keeper, signal.SIGCONT)
    for _, line in lines:
        eventually(lambda: station.send(line), 5, "the keeper is back")
    equal(len(station.export()), 20, "each once")
    equal(station.stored_bytes(), 240, "each once on disk")


@test
def a_sealed_file_that_cannot_be_read_costs_its_questions_and_no_worker():
    station = sensor.Station().start()
    start_ms = 1757808000000
    records = [sensor.encode({"time_ms": start_ms + second * 10000, "channel_minus_1": second % 4,
                              "raw": 1000}) for second in range(5000)]
    equal(station.request("POST", "/data", b"".join(records), {
        "Authorization": station.token, "Content-Type": "application/octet-stream"}).status, 200)
    subprocess.run([os.path.join(tap.BUILD, "hearth"), "--config", station.pool.config_file,
                    "seal"], check=True, capture_output=True)
    shutil.rmtree(os.path.join(station.sensor_directory(), "summary"), ignore_errors=True)
    [name] = [row["file"] for row in station.manifest()]
    for _ in range(20):  # both workers map it
        equal(len(station.export()), len(records))
    workers, path = station.pool.worker_pids(), os.path.join(station.sensor_directory(), name)
    with open(path, "rb") as file:
        whole = file.read()

    os.truncate(path, 4096)
    day = f"?from={start_ms}&to={start_ms + 86400000}"
    for target in ("/api/v1/export.bin", "/api/v1/export.csv" + day, "/data" + day,
                   "/api/v1/range" + day, "/api/v1/range" + day + "&fn=raw", "/api/v1/series"):
        for _ in range(4):
            equal(station.request("GET", target).status, 500, target)
        equal(station.request("GET", "/healthz").status, 200)
    equal(station.pool.worker_pids(), workers, "the workers")
    details = [line["detail"] for line in station.pool.log_lines("sensor_damaged")]
    assert details and all(name in detail for detail in details), details
    equal(station.pool.metric("hearth_sensor_damaged_total"), len(details), "the metric")
    equal(station.put(READING)[0], 200, "readings are taken")

    with open(path, "r+b") as file:
        file.write(whole)
    equal(len(station.export()), len(records) + 1, "when it is whole again")

    with open(path, "r+b") as file:
        file.seek(300 * 12 + 8)
        file.write(bytes([whole[300 * 12 + 8] ^ 1]))
    station.restart()
    for target in ("/api/v1/export.bin", "/api/v1/export.csv" + day, "/data" + day,
                   "/api/v1/range" + day, "/api/v1/range" + day + "&fn=raw", "/api/v1/series"):
        equal(station.request("GET", target).status, 500, target)
    assert name in station.pool.log_lines("sensor_damaged")[-1]["detail"]
    done = subprocess.run([os.path.join(tap.BUILD, "hearth"), "--config", station.pool.config_file,
                           "export", "--format", "csv"], capture_output=True, text=True)
    assert done.returncode != 0 and name in done.stderr, done


@test
def a_reload_under_load_fails_no_reading():
    station = sensor.Station({"pool.threads": 4}).start()
    lines, sent, failed, lock = sensor.made_up_readings(10**9), [], [], threading.Lock()
    ended = threading.Event()

    def send():
        while not ended.is_set():
            with lock:
                line = next(lines)
            answer = station.put(line)
            (sent if answer[0] == 200 else failed).append((line, answer))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        keepers = {station.pool.keeper_pid()}
        for round_number in range(4 if full() else 2):
            time.sleep(0.3)
            assert station.pool.reload({"sensor.future_tolerance_s": 600 + round_number})
            time.sleep(0.3)
            keepers.add(eventually(station.pool.keeper_pid, what="a keeper"))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    equal(failed, [], "failed")
    assert len(keepers) > 1, "the keeper was never handed over: the test does not test"
    stored = station.export()
    equal(stored, sorted(sensor.record_of(json.loads(line)) for line, _ in sent), "stored")
    equal(station.stored_bytes(), 12 * len(stored), "bytes on disk")


def readiness(station):
    answer = station.request("GET", "/readyz", headers={"Accept": "application/json"})
    return answer.status, json.loads(answer.body)


def expect_gone(station, lines):
    """Nothing is taken, nothing ends, and it is told, in the log and by /readyz."""
    eventually(lambda: station.put(lines[2])[0] == 503, 10, "writes are refused")
    for line in lines:  # new ones and those that it had
        answer = station.request("PUT", "/data", line, {"Authorization": station.token})
        equal(answer.status, 503, line)
        assert int(answer.headers["Retry-After"]) > 0
    for target in ("/data", "/api/v1/export.bin", "/temp"):
        assert station.request("GET", target).status in (200, 503), target
    status, told = readiness(station)
    equal((status, told["ready"]), (503, False), told)
    [store] = [check for check in told["checks"] if check["name"] == "store"]
    assert "removed or moved" in store["why"], store
    equal(station.request("GET", "/healthz").status, 200, "the pool is alive")
    assert "was removed or moved" in station.pool.log_text()
    equal(station.put(lines[0])[0], 503, "still")


def is_back(station, lines):
    eventually(lambda: station.put(lines[0])[0] == 200, 30, "writes are taken again")
    eventually(lambda: readiness(station)[0] == 200, 5, "ready")
    for line in lines:
        equal(station.put(line)[0], 200, line)
    equal(len(station.export()), len(lines), "each once")


@test
def removed_files_are_not_replaced_by_an_empty_store_until_the_restart():
    station = sensor.Station({"pool.workers": 1}).start()
    lines = list(sensor.made_up_readings(4))
    for line in lines[:2]:
        equal(station.put(line)[0], 200)
    workers = station.pool.worker_pids()
    shutil.rmtree(os.path.join(station.sensor_directory(), "live"))
    expect_gone(station, lines)
    assert not os.path.exists(os.path.join(station.sensor_directory(), "live"))
    equal(station.pool.worker_pids(), workers, "the workers")
    station.restart()
    is_back(station, lines)


@test
def a_store_that_was_moved_away_goes_on_when_it_is_back():
    station = sensor.Station({"pool.workers": 1}).start()
    lines = list(sensor.made_up_readings(4))
    for line in lines[:2]:
        equal(station.put(line)[0], 200)
    place = station.sensor_directory()
    os.rename(place, place + ".aside")
    expect_gone(station, lines)
    assert not os.path.exists(place), "nothing was made in its place"
    os.rename(place + ".aside", place)
    eventually(lambda: readiness(station)[0] == 200, 30, "ready")
    is_back(station, lines)
    etag = station.request("GET", "/data?from=0").headers["ETag"]
    station.restart()
    equal(station.request("GET", "/data?from=0", headers={"If-None-Match": etag}).status, 304,
          "the same store")


@test
def another_store_with_as_many_readings_has_another_etag():
    first, second = sensor.Station().start(), sensor.Station().start()
    # Of the same number and up to the same time: only the store tells them apart.
    lines = list(sensor.made_up_readings(3))
    for station, chosen in ((first, (0, 2)), (second, (1, 2))):
        for index in chosen:
            equal(station.put(lines[index])[0], 200)
    for target in ("/data?from=0", "/api/v1/export.bin?from=0", "/temp"):
        answer = first.request("GET", target)
        etag = answer.headers["ETag"]
        other = second.request("GET", target, headers={"If-None-Match": etag})
        equal(other.status, 200, target)
        assert other.headers["ETag"] != etag, target


# ---- Requests that are not as they should be ----

@test
def the_wrong_token_is_401_and_a_missing_scope_403():
    station = sensor.Station().start()
    reader = station.new_token("reader", "data:read")
    for token in ("", "wrong", "Bearer wrong", "Bearer " + station.token[:-1],
                  "Token " + station.token + "x", sensor.basic("wrong")):
        answer = station.request("PUT", "/data", READING, {"Authorization": token})
        equal(answer.status, 401, token)
        assert answer.headers["WWW-Authenticate"], token
    equal(station.put(READING, token="Bearer " + reader)[0], 403)
    equal(station.export(), [], "stored")
    for token in (station.token, "Bearer " + station.token, "Token " + station.token,
                  "bearer " + station.token, sensor.basic(station.token)):
        equal(station.put(READING, token=token)[0], 200, token.split()[0])
    equal(len(station.export()), 1)


@test
def records_go_in_as_they_come_out_and_a_byte_too_many_is_400():
    station = sensor.Station().start()
    records = [sensor.encode({"time_ms": 1757894691000 + i, "channel_minus_1": i % 16,
                              "rolling_code": i % 256, "scale": i % 2, "raw": 1000 + i % 1000,
                              "humidity": i % 101, "signal": i % 128, "relay": i % 2,
                              "occupied": i // 2 % 2, "time_quality": i % 2})
               for i in range(100000)]
    content = b"".join(records)
    status, problem = station.put(content + b"\0", "application/octet-stream", method="POST")
    equal(status, 400, problem)
    equal(station.export(), [], "nothing was stored")
    status, answer = station.put(content, "application/octet-stream", method="POST")
    equal((status, answer["accepted"], answer["quarantined"]), (200, 100000, 0), answer)
    equal((answer["first"], answer["last"]),
          ("2025-09-15T00:04:51.000Z", "2025-09-15T00:06:30.999Z"))
    equal(b"".join(station.export()), content, "byte for byte")
    equal(station.stored_bytes(), 1200000, "bytes on disk")
    status, answer = station.put(content, "application/octet-stream", method="POST")
    equal((answer["accepted"], answer["duplicate"]), (0, 100000), answer)

    hidden = [sensor.decode(r) for r in station.export(token="")]
    equal({(f["relay"], f["occupied"]) for f in hidden}, {(0, 0)}, "without the scope")
    broken = station.request("GET", "/api/v1/export.bin", headers={
        "Authorization": station.token, "Range": "bytes=600000-"})
    equal((broken.status, broken.body), (206, content[600000:]), "the other half")


@test
def damaged_records_are_quarantined_with_their_reason():
    station = sensor.Station().start()
    good = sensor.encode({"time_ms": 1757894691000, "raw": 1144, "humidity": 35})
    wrong_sum = good[:-1] + bytes([good[-1] ^ 1])
    version = bytes([good[0] | 0x40]) + good[1:11]
    version += bytes([sensor.checksum(version)])
    dry = sensor.encode({"time_ms": 1757894691000, "raw": 1144, "humidity": 111})
    status, answer = station.put(wrong_sum + version + good + dry + b"\0" * 12 + b"\xff" * 12,
                                 "application/octet-stream", method="POST")
    equal(status, 200, answer)
    equal((answer["accepted"], answer["quarantined"]), (1, 5), answer)
    equal(sum(answer["reasons"].values()), 5, answer)
    equal(answer["reasons"]["HUMIDITY_RANGE"], 1, answer)
    equal(station.export(), [good])
    equal(sum(line.get("count", 1) for line in station.quarantined()), 5, "kept")


@test
def impossible_values_are_kept_in_quarantine_and_answered_with_200():
    station = sensor.Station().start()
    bad = {
        "CHANNEL_RANGE": '{"channel":17,"rolling_code":1,"humidity":5}',
        "HUMIDITY_RANGE": '{"channel":1,"rolling_code":1,"humidity":101}',
        "TEMPERATURE_RANGE": '{"channel":1,"rolling_code":1,"temperature":99999}',
        "ROLLING_CODE_RANGE": '{"channel":1,"rolling_code":256,"humidity":5}',
        "MISSING_MEMBER": '{"channel":1,"rolling_code":1}',
        "WRONG_TYPE": '{"channel":1,"rolling_code":1,"humidity":"5"}',
        "BAD_TIME": '{"channel":1,"rolling_code":1,"humidity":5,"time":"yesterday"}',
        "TIME_RANGE": '{"channel":1,"rolling_code":1,"humidity":5,"time":"2110-01-01T00:00:00Z"}',
    }
    for reason, body in bad.items():
        status, answer = station.put(body)
        equal((status, answer["accepted"], answer["quarantined"], answer["reasons"]),
              (200, 0, 1, {reason: 1}), body)
    kept = {line["reason"]: line["raw"] for line in station.quarantined()}
    equal(kept, bad, "word for word, with its reason")
    equal(station.export(), [])


@test
def bodies_too_large_empty_or_not_json_are_refused_and_the_pool_lives():
    station = sensor.Station({"sensor.max_body_bytes": 100000}).start()
    workers = station.pool.worker_pids()
    for body, status in ((b" " * 100001, 413), (b"", 400), (b"x", 400), (b"{", 400),
                         (b"\0" * 50, 400), (b"[" * 50000, 400), (b'{"a":' * 16000, 400),
                         (b"\xff\xfe", 400), (b'"\\ud800', 400)):
        status_got, problem = station.put(body)
        equal(status_got, status, body[:20])
        equal(problem["status"], status, body[:20])
    line = '{"x":"' + "y" * 90000 + '"'  # one bad line of 90 KB
    status, answer = station.put(READING + "\n" + line, "application/x-ndjson")
    equal((status, answer["accepted"], answer["quarantined"]), (200, 1, 1), answer)
    kept = sorted(station.quarantined(), key=lambda piece: piece.get("part", 0))
    equal("".join(piece["raw"] for piece in kept), line, "kept word for word")
    equal(station.pool.worker_pids(), workers, "the workers")


@test
def a_body_without_a_length_is_taken():
    station = sensor.Station().start()
    lines = list(sensor.made_up_readings(200))
    pieces = iter([line.encode() + b"\n" for line in lines])
    answer = station.request("PUT", "/data", pieces, {"Authorization": station.token,
                                                      "Content-Type": "application/x-ndjson"})
    equal((answer.status, json.loads(answer.body)["accepted"]), (200, 200), answer)


@test
def the_zone_and_unit_of_a_token_hold():
    station = sensor.Station().start()
    token = station.new_token("cabin", "data:write", "--unit", "c", "--time-zone", "America/Denver")
    body = '{"time":"2025-09-14 18:04:51","channel":1,"rolling_code":107,"temperature":23.45}'
    equal(station.put(body, token=token)[0], 200)
    [fields] = [sensor.decode(record) for record in station.export()]
    equal((fields["time_ms"], fields["scale"], fields["raw"]), (1757894691000, 1, 1235), fields)


@test
def other_methods_and_questions_are_answered():
    station = sensor.Station().start()
    answer = station.request("DELETE", "/data")
    equal(answer.status, 405)
    equal({m.strip() for m in answer.headers["Allow"].split(",")} >= {"GET", "PUT", "POST"}, True)
    for target in ("/data?from=2&to=1", "/data?from=soon", "/api/v1/export.bin?to=x"):
        answer = station.request("GET", target)
        equal((answer.status, answer.headers["Content-Type"]), (400, "application/problem+json"))
    equal(station.put(READING)[0], 200)
    first = station.request("GET", "/data?from=0")
    again = station.request("GET", "/data?from=0",
                            headers={"If-None-Match": first.headers["ETag"]})
    equal((again.status, again.body), (304, b""))
    equal(station.put(list(sensor.made_up_readings(2))[1])[0], 200)
    later = station.request("GET", "/data?from=0",
                            headers={"If-None-Match": first.headers["ETag"]})
    equal((later.status, len(json.loads(later.body))), (200, 2))


if __name__ == "__main__":
    main()
