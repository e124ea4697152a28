#!/usr/bin/python3
"""The pool behind real web servers: kept connections under load, broken answers, redirects."""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.fronts import FRONTS, Front  # noqa: E402
from support.pool import TEST_PROGRAM, Pool, wait_until_whole  # noqa: E402
from support.tap import Skip, directory, equal, eventually, full, main, skip, test  # noqa: E402


def behind(name, **config):
    p = Pool(TEST_PROGRAM, {k.replace("__", "."): v for k, v in config.items()}).start()
    return p, Front(name, p.socket, directory()).start()


def ask(front, method, target, body=None, headers=None, timeout=20.0):
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=timeout)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


class Wrk:
    """wrk against a front, GET or POST; `result()` gives (requests, problems)."""

    def __init__(self, front, target, connections, seconds, post=False):
        if not shutil.which("wrk"):
            skip("wrk is not installed")
        command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        if post:
            script = os.path.join(front.directory, "post.lua")
            with open(script, "w") as file:
                file.write('wrk.method = "POST"\nwrk.body = string.rep("x", 500)\n')
            command += ["-s", script]
        self.process = subprocess.Popen(command + [front.url + target], stdout=subprocess.PIPE,
                                        text=True)

    def result(self):
        text = self.process.communicate()[0]
        problems = re.findall(r"(?:Socket errors|Non-2xx).*", text)
        return int(re.search(r"(\d+) requests in", text).group(1)), problems


@test
def whoever_comes_through_a_tunnel_to_a_front_is_not_on_this_machine():
    ran = 0
    for name in FRONTS:
        p = Pool().start()
        try:
            front = Front(name, p.socket, directory()).start()
        except Skip:
            continue
        equal(ask(front, "GET", "/metrics")[0].status, 200, name)
        for headers in ({"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"},
                        {"X-Real-IP": "203.0.113.9"}):
            equal(ask(front, "GET", "/metrics", headers=headers)[0].status, 401, (name, headers))
        front.stop()
        p.stop()
        ran += 1
    if not ran:
        skip("no web server is installed")


@test
def nginx_with_kept_connections_far_above_the_threads():
    p, front = behind("nginx", pool__workers=1, pool__threads=4)
    seconds = 10 if full() else 3
    for connections in (64, 256):
        runs = [Wrk(front, "/hello", connections // 2, seconds),
                Wrk(front, "/sink", connections // 2, seconds, post=True)]
        for run in runs:
            count, problems = run.result()
            equal(problems, [])
            assert count > 500, count
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)
    kept = p.metric("hearth_pool_connections")
    assert kept > 4, f"nginx keeps {kept} connections, more than there are threads"
    slow = [line for line in p.log_lines("request") if line["ms"] > 3000]
    equal(slow, [], "nobody starved")


@test
def nginx_under_load_does_not_notice_reloads():
    p, front = behind("nginx", pool__workers=2, pool__threads=4, pool__drain_timeout_ms=20000)
    runs = [Wrk(front, "/hello", 16, 8), Wrk(front, "/sink", 16, 8, post=True)]
    for number in range(3):
        time.sleep(1.0)
        assert p.reload({"pool_test.greeting": f"hello {number}"})
    for run in runs:
        count, problems = run.result()
        equal(problems, [])
        assert count > 500, count
    equal(front.log_text(), "")
    eventually(lambda: len(p.worker_pids()) == 2, 25.0, "nginx has closed, the old workers are gone")
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


@test
def nginx_under_load_loses_only_what_a_killed_worker_had():
    p, front = behind("nginx", pool__workers=2, pool__threads=4)
    run = Wrk(front, "/hello", 16, 5)
    for _ in range(3):
        time.sleep(1.0)
        victim = p.worker_pids()[0]
        os.kill(victim, signal.SIGKILL)
        assert wait_until_whole(p, 2, 1.0, other_than=(victim,)) < 1.0
    count, problems = run.result()
    lost = sum(int(n) for text in problems if "Non-2xx" in text for n in re.findall(r"\d+", text)[-1:])
    assert lost <= 3 * 16, problems
    assert not [text for text in problems if "Socket" in text], problems
    assert count > 500, count


@test
def a_broken_answer_looks_broken():
    looked_whole = []
    for name in FRONTS:
        _, front = behind(name)
        for after in (9000, 100000, 1000000, 3000000):
            try:
                response, _ = ask(front, "GET", f"/abort?after={after}", timeout=90)
            except (http.client.HTTPException, OSError):
                continue  # broken off: what a client should see
            if response.status < 500:
                looked_whole.append((name, after))
    # More than is held back, and Caddy does not tell its client.
    equal(looked_whole, [("caddy", 3000000)])


@test
def a_client_that_leaves_frees_the_thread():
    p, front = behind("nginx", pool__workers=1, pool__threads=1)
    for _ in range(3):
        client = socket.create_connection(("127.0.0.1", front.port))
        client.sendall(b"GET /big?bytes=400000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1000)
        client.close()
        began = time.monotonic()
        equal(ask(front, "GET", "/hello")[1], b"hello")
        assert time.monotonic() - began < 3.0
    eventually(lambda: [line.get("reason") for line in p.log_lines("request")
                        if line["path"] == "/big"] == ["CLIENT_GONE"] * 3, 2.0, "it is in the log")


@test
def commands_to_the_front_are_not_obeyed():
    for name in FRONTS:
        _, front = behind(name)
        response, body = ask(front, "GET", "/control")
        equal((response.status, body), (200, b"harmless\n"), name)
        equal([h for h in response.headers if h.lower().startswith(
            ("x-accel", "x-sendfile", "x-lighttpd"))], [], name)


@test
def a_redirect_goes_to_the_client_whatever_it_points_to():
    for name in FRONTS:
        p, front = behind(name)
        for status in (200, 201, 301, 302, 303, 307, 308):
            for to in ("/hello", "/hello?a=b", "hello", "//other.example/", "https://other.example/x"):
                response, body = ask(front, "GET",
                                     f"/location?status={status}&to={to.replace('?', '%3F')}")
                equal((response.status, body), (status, b"elsewhere\n"), (name, status, to))
                got = response.headers["location"]
                assert got == to or got == front.url + to, (name, status, to, got)
        equal([line for line in p.log_lines("request") if line["path"] == "/hello"], [],
              f"{name} follows none of them by itself")


@test
def a_body_that_is_too_large_is_answered_through_each_front():
    for name in FRONTS:
        p, front = behind(name, http__max_body_bytes=1000000)
        for size in (1000001, 3000000, 12000000):
            response, _ = ask(front, "POST", "/sink", body=b"x" * size)
            equal(response.status, 413, (name, size))
        equal(ask(front, "POST", "/sink", body=b"x" * 1000000)[0].status, 200, name)
        equal(p.metric("hearth_pool_worker_restarts_total"), 0)


@test
def late_ends_of_input_do_not_disturb_apache():
    p, front = behind("apache", pool__workers=1, pool__threads=2)
    failures = []

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
        for i in range(150):
            body = b"y" * (i * 13) if i % 2 else None
            connection.request("POST" if body else "GET", "/sink" if body else "/hello", body=body)
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                failures.append((number, i, response.status, text))
        connection.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [])
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


if __name__ == "__main__":
    main()
