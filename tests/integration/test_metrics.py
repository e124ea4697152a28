#!/usr/bin/python3
"""What /metrics of a pool in use says, judged by Prometheus' own checker."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import sensor  # noqa: E402
from support.tap import equal, eventually, main, skip, test  # noqa: E402

WRONG = b"# TYPE hearth_x counter\nhearth_x 1\nhearth_x 1\n"


def promtool():
    path = shutil.which("promtool")
    if not path:
        if os.environ.get("CI"):
            raise AssertionError("promtool (package prometheus) is missing, and CI must have it")
        skip("no promtool (package prometheus)")
    return path


def complaints(program, text):
    """(exit code, what was said)."""
    done = subprocess.run([program, "check", "metrics"], input=text, capture_output=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def used_station():
    """Whoever has had every kind of request, good and bad, and readings of every kind."""
    station = sensor.Station().start()
    lines = list(sensor.made_up_readings(50))
    for line in lines[:20]:
        equal(station.put(line)[0], 200)
    equal(station.put("\n".join(lines), "application/x-ndjson")[1]["duplicate"], 20)
    equal(station.put('{"channel":17,"rolling_code":1,"humidity":5}')[1]["quarantined"], 1)
    equal(station.put("x")[0], 400)
    equal(station.put(lines[0], token="wrong")[0], 401)
    for method, target, status in (("GET", "/data?from=0", 200), ("GET", "/data?from=x", 400),
                                   ("HEAD", "/temp", 200), ("GET", "/api/v1/export.bin", 200),
                                   ("GET", "/nowhere/at\"all\\", 404), ("BREW", "/data", 405),
                                   ("OPTIONS", "/data", 204), ("GET", "/healthz", 200),
                                   ("GET", "/readyz", 200), ("GET", "/..%2f", 400)):
        equal(station.request(method, target).status, status, target)
    return station


@test
def a_live_pools_metrics_are_what_prometheus_wants():
    program = promtool()
    station = used_station()
    answer = station.pool.request("GET", "/metrics")
    equal(answer.status, 200)
    equal(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")
    for name in ("hearth_requests_total", "hearth_errors_total", "hearth_request_seconds_bucket",
                 "hearth_requests_in_flight", "hearth_responses_bytes_total",
                 "hearth_pool_connections"):
        assert b"\n" + name.encode() in answer.body, f"{name} is not there: too little is tested"
    code, said = complaints(program, answer.body)
    equal((code, said.strip()), (0, ""), "promtool")
    code, said = complaints(program, WRONG)
    assert code != 0, f"promtool takes everything: {said}"


@test
def they_still_are_after_a_reload_and_a_crash():
    program = promtool()
    station = used_station()
    assert station.pool.reload({"pool.workers": 1})
    os.kill(station.pool.worker_pids()[0], 9)
    eventually(lambda: station.request("GET", "/healthz").status == 200, what="a new worker")
    equal(station.put(next(sensor.made_up_readings(1)))[0], 200)
    code, said = complaints(program, station.pool.request("GET", "/metrics").body)
    equal((code, said.strip()), (0, ""), "promtool")


if __name__ == "__main__":
    main()
