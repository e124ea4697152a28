#!/usr/bin/python3
"""What one FastCGI request becomes: parameters, headers, body, answer; and what is not one at all."""
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import fcgi  # noqa: E402
from support.pool import TEST_PROGRAM, Pool, wait_until_whole  # noqa: E402
from support.tap import equal, eventually, main, skip, test  # noqa: E402


def pool(**config):
    return Pool(TEST_PROGRAM, {"pool.workers": 1, **{k.replace("__", "."): v
                                                     for k, v in config.items()}}).start()


def headers_of(response, name):
    return [v for n, v in response.json()["headers"] if n == name]


# ---- Parameters and headers ----

@test
def a_request_arrives_as_the_front_sent_it():
    p = pool()
    got = p.request("PATCH", "/echo/a%2Fb/%C3%A9?x=1&x=2&y=%20+",
                    headers=[("X-One", "1"), ("Cookie", "a=b; c=d"), ("User-Agent", "t\xe9st")],
                    body=b"\0\xff" * 500).json()
    equal(got["method"], "PATCH")
    equal(got["raw_path"], "/echo/a%2Fb/%C3%A9")
    equal(got["path"].encode("latin-1"), "/echo/a%2Fb/é".encode())
    equal(got["raw_query"], "x=1&x=2&y=%20+")
    equal(got["query"], [["x", "1"], ["x", "2"], ["y", "  "]])
    equal([h for h in got["headers"] if h[0] in ("x-one", "user-agent")],
          [["x-one", "1"], ["user-agent", "t\xe9st"]])
    equal(got["cookies"], [["a", "b"], ["c", "d"]])
    equal((got["body_bytes"], got["body_sha256"]),
          (1000, hashlib.sha256(b"\0\xff" * 500).hexdigest()))
    equal((got["scheme"], got["host"], got["client_address"]), ("http", "localhost", "127.0.0.1"))


@test
def a_header_that_comes_twice_arrives_twice_and_in_order():
    p = pool()
    got = p.request("GET", "/echo", headers=[("X-A", "1"), ("X-B", "2"), ("X-A", "3")])
    equal([h for h in got.json()["headers"] if h[0] in ("x-a", "x-b")],
          [["x-a", "1"], ["x-b", "2"], ["x-a", "3"]])


@test
def forwarding_headers_that_come_twice_are_believed_by_nobody():
    p = pool(http__trusted_proxies=["loopback"])
    once = p.request("GET", "/echo", headers=[("X-Forwarded-For", "203.0.113.9")])
    equal(once.json()["client_address"], "203.0.113.9")
    for name, value in (("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")):
        twice = p.request("GET", "/echo", headers=[(name, value), (name.lower(), value)])
        equal(twice.json()["client_address"], "127.0.0.1", name)


@test
def whoever_is_spoken_for_is_not_on_this_machine():
    p = Pool().start()
    equal(p.request("GET", "/metrics").status, 200)
    name, value = "X-Forwarded-For", "203.0.113.9"
    for headers in ([(name, value)], [(name, value), (name, value)],
                    [("X_Forwarded_For", "x"), (name, value)],
                    [("Forwarded", "for=" + value), ("Forwarded", "for=" + value)]):
        equal(p.request("GET", "/metrics", headers).status, 401, headers)
    equal(p.request("GET", "/metrics", extra=[("HEARTH_FORWARDED", "1")]).status, 401)
    equal(p.request("GET", "/metrics", extra=[("HEARTH_FORWARDED", "")]).status, 200)


@test
def the_clients_address_is_not_believed_when_it_comes_twice():
    p = pool()
    equal(p.request("GET", "/echo", peer="192.0.2.7").json()["client_address"], "192.0.2.7")
    twice = p.request("GET", "/echo", peer="192.0.2.7", extra=[("REMOTE_ADDR", "192.0.2.8")])
    equal(twice.json()["client_address"], "")
    equal(p.request("GET", "/echo", extra=[("HTTPS", "on")]).json()["scheme"], "https")
    equal(p.request("GET", "/echo", extra=[("HTTPS", "on"), ("HTTPS", "on")]).json()["scheme"],
          "http")


@test
def a_header_named_proxy_is_dropped():
    p = pool()
    for name in ("HTTP_PROXY", "HTTP_proxy", "HTTP_Proxy"):
        got = p.request("GET", "/echo", extra=[(name, "http://evil.example/")])
        equal(got.status, 200)
        equal(headers_of(got, "proxy"), [])


@test
def content_type_and_length_come_once_although_the_front_sends_them_twice():
    p = pool()
    got = p.request("POST", "/echo", body=b"12345",
                    headers=[("Content-Type", "text/plain")],
                    extra=[("HTTP_CONTENT_TYPE", "text/plain"), ("HTTP_CONTENT_LENGTH", "5")])
    equal(headers_of(got, "content-type"), ["text/plain"])
    equal(headers_of(got, "content-length"), ["5"])
    only_twin = p.request("POST", "/echo", body=b"12345", extra=[("HTTP_CONTENT_TYPE", "a/b")])
    equal(headers_of(only_twin, "content-type"), ["a/b"])


@test
def without_request_uri_the_target_is_put_together():
    p = pool()
    def ask(*pairs):
        with p.connect() as c:
            base = [("REQUEST_METHOD", "GET"), ("REMOTE_ADDR", "127.0.0.1")]
            c.send(fcgi.begin(), fcgi.params(1, base + list(pairs)), fcgi.params(1, None),
                   fcgi.stdin(1, b""))
            return c.receive()
    got = ask(("SCRIPT_NAME", "/echo"), ("PATH_INFO", "/a b%/é?"), ("QUERY_STRING", "q=%20")).json()
    equal(got["raw_path"], "/echo/a%20b%25/%E9%3F")
    equal(got["raw_query"], "q=%20")
    equal(ask(("SCRIPT_NAME", "/echo")).json()["raw_path"], "/echo")
    equal(ask().status, 404)
    equal(ask(("REQUEST_URI", ""), ("PATH_INFO", "/echo")).json()["path"], "/echo")


@test
def cgi_fcgi_can_ask_without_any_web_server():
    if not shutil.which("cgi-fcgi"):
        skip("cgi-fcgi is not installed")
    p = pool()
    environment = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/sink", "CONTENT_LENGTH": "5",
                   "REMOTE_ADDR": "127.0.0.1"}
    done = subprocess.run(["cgi-fcgi", "-bind", "-connect", p.socket], env=environment,
                          input=b"12345", capture_output=True, timeout=20, check=True)
    assert done.stdout.startswith(b"Status: 200 OK\r\n"), done.stdout
    assert b'"bytes":5' in done.stdout, done.stdout


@test
def names_and_values_of_any_bytes_do_no_harm():
    p = pool()
    refused = [("HTTP_", "empty"), ("HTTP_X Y", "blank"), ("HTTP_\xff", "high"),
               ("HTTP_X", "a\r\nb: c"), ("HTTP_X", "a\nb"), ("HTTP_X", "a\x01b")]
    taken = [("HTTP_A=B", "equals"), ("", ""), ("=", "="), ("http_x", "small"), ("REMOTE_ADDR", "\0"),
             ("X" * 70000, "y"), ("REQUEST_METHOD", "")]
    for status, parameters in ((400, refused), (200, taken)):
        for one in parameters:
            equal(p.request("GET", "/echo", extra=[one]).status, status, one[0][:20])
            equal(p.request("GET", "/hello").status, 200)
    for one, seen in ((("HTTP_X", "a\0b"), ["x", "a"]), (("HTTP_X\0Y", "nul"), None)):
        got = p.request("GET", "/echo", extra=[one])  # the library shows no more than up to the NUL
        equal(got.status, 200)
        equal([header for header in got.json()["headers"] if header[0].startswith("x")],
              [seen] if seen else [], one)
    equal(p.request("GET", "/echo", headers=[("X-Small", "1")],
                    extra=[("http_x_small", "2")]).json()["headers"].count(["x-small", "1"]), 1)
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


@test
def limits_on_the_head_are_answered():
    p = pool()
    told = []

    def refused(status, reason, method, target, **options):
        equal(p.request(method, target, **options).status, status, (method, target[:20]))
        told.append((status, reason))

    refused(431, "HEAD_TOO_LARGE", "GET", "/echo", headers=[(f"X-{i}", "1") for i in range(1000)])
    refused(431, "HEAD_TOO_LARGE", "GET", "/echo", headers=[("X-Long", "a" * 65536)])
    refused(414, "URI_TOO_LONG", "GET", "/echo?" + "a" * 20000)
    refused(400, "BAD_PATH", "GET", "/echo/%zz")
    refused(405, "METHOD_NOT_ALLOWED", "BREW", "/hello")
    refused(400, "BAD_LENGTH", "POST", "/sink", body=b"12345", length=6)
    refused(400, "BAD_LENGTH", "POST", "/sink", body=b"12345", length=4)
    lines = eventually(lambda: (found := p.log_lines("request")) and len(found) >= len(told)
                       and found, 3.0, "each has its line")
    equal([(line["status"], line["reason"]) for line in lines], told)


# ---- Bodies ----

@test
def a_body_without_a_length_is_read_to_its_end():
    p = pool()
    body = os.urandom(300000)
    for length in (None, False, "-1"):  # nginx, Apache, Caddy
        with p.connect() as c:
            c.send(fcgi.begin(), fcgi.params(1, fcgi.cgi("POST", "/sink", length=length)),
                   fcgi.params(1, None))
            for start in range(0, len(body), 30000):
                c.send(fcgi.stdin(1, body[start:start + 30000]))
            c.send(fcgi.stdin(1, b""))
            got = c.receive()
        equal(got.json(), {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}, length)


@test
def a_body_shorter_than_its_length_is_refused():
    p = pool()
    with p.connect() as c:
        got = c.request("POST", "/sink", body=b"12345", length=6)
        equal(got.status, 400)
        equal(got.json()["detail"], "the body ended after 5 of the 6 bytes announced")
        equal(c.request("GET", "/hello").status, 200, "the connection goes on")


@test
def a_body_longer_than_its_length_is_refused():
    p = pool()
    for body, length in ((b"12345", 4), (b"12345", 0), (b"x" * 100000, 99999), (b"1", 0)):
        got = p.request("POST", "/sink", body=body, length=length)
        equal(got.status, 400, (len(body), length))
        equal(got.json()["detail"], f"the body has more than the {length} bytes announced")
    with p.connect() as c:  # the surplus comes in a record of its own
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("POST", "/sink", length=3)),
               fcgi.params(1, None), fcgi.stdin(1, b"abc"), fcgi.stdin(1, b"d"), fcgi.stdin(1, b""))
        equal(c.receive().status, 400)


@test
def a_length_that_is_no_number_is_refused():
    p = pool()
    for length in ("five", "5, 5", "+5", "-2", "99999999999999999999999"):
        equal(p.request("POST", "/sink", body=b"12345", length=length).status, 400, length)


@test
def a_front_that_never_ends_the_input_is_answered_all_the_same():
    p = pool(pool__receive_timeout_ms=3000)
    began = time.monotonic()
    with p.connect() as c:  # a length was said, and so much has come
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("POST", "/sink", length=5)),
               fcgi.params(1, None), fcgi.stdin(1, b"12345"))
        got = c.receive()
        equal((got.complete, got.json()["bytes"]), (True, 5))
        assert c.closed_within(3.0), "what comes next on it could not be told from the body"
    with p.connect() as c:
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("GET", "/hello")), fcgi.params(1, None))
        equal(c.receive().body, b"hello")
    assert time.monotonic() - began < 2.5, "it was waited for"
    with p.connect() as c:  # no length: it must be waited for
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("POST", "/sink")), fcgi.params(1, None),
               fcgi.stdin(1, b"12345"))
        got = c.receive()
        equal((got.status, got.json()["detail"]), (408, "the body stopped coming after 5 bytes"))


@test
def an_end_of_input_that_comes_late_does_not_spoil_the_next_request():
    p = pool()
    with p.connect() as c:
        for i in range(20):  # as Apache does it
            c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("GET", "/hello")),
                   fcgi.params(1, None))
            time.sleep(0.002 * (i % 5))
            c.send(fcgi.stdin(1, b""))
            got = c.receive()
            equal((got.complete, got.body), (True, b"hello"), i)
        for i in range(20):
            c.send(fcgi.begin(2, True), fcgi.params(2, fcgi.cgi("POST", "/sink", length=4)),
                   fcgi.params(2, None), fcgi.stdin(2, b"1234"))
            time.sleep(0.002 * (i % 5))
            c.send(fcgi.stdin(2, b""))
            equal(c.receive().json()["bytes"], 4, i)


@test
def padding_and_odd_pieces_make_no_difference():
    p = pool()
    body = os.urandom(5000)
    raw = (fcgi.begin(7, True)
           + b"".join(fcgi.record(fcgi.PARAMS, 7, piece, padding=n % 256)
                      for n, piece in enumerate(
                          [bytes([b]) for b in b"".join(
                              fcgi.pair(n, v) for n, v in fcgi.cgi("POST", "/sink", length=5000))]))
           + fcgi.params(7, None)
           + b"".join(fcgi.record(fcgi.STDIN, 7, body[i:i + 9], padding=(i * 7) % 256)
                      for i in range(0, 5000, 9))
           + fcgi.stdin(7, b""))
    expected = hashlib.sha256(body).hexdigest()
    for size in (len(raw), 8192, 4093, 1009, 64):
        with p.connect() as c:
            for i in range(0, len(raw), size):
                c.send(raw[i:i + size])
                if size == 64 and i % 6400 == 0:
                    time.sleep(0.001)
            equal(c.receive().json()["sha256"], expected, size)
            equal(c.request("GET", "/hello").status, 200, size)


@test
def a_body_that_is_too_large_is_refused_and_the_answer_arrives():
    p = pool(http__max_body_bytes=100000)
    with p.connect() as c:
        c.send(fcgi.encode("POST", "/sink", body=b"x" * 3000000, keep=True))
        got = c.receive()
        equal((got.status, got.json()["detail"]),
              (413, "the body may have at most 100000 bytes here"))
    with p.connect() as c:
        c.send(fcgi.encode("POST", "/echo-body", body=b"x" * 90000, keep=True))
        equal(c.receive().body, b"x" * 90000)


# ---- Roles, records, things that are no request ----

@test
def only_responders_are_served():
    p = pool()
    for role in (fcgi.AUTHORIZER, fcgi.FILTER):
        with p.connect() as c:
            c.send(fcgi.encode("GET", "/hello", role=role, request_id=9))
            kind, request_id, content = c.receive_record()
            equal((kind, request_id, content[4]), (fcgi.END_REQUEST, 9, fcgi.UNKNOWN_ROLE))
            assert c.closed_within(1.0)
    with p.connect() as c:
        c.send(fcgi.encode("GET", "/hello", role=77))
        assert c.closed_within(1.0)
    equal(p.request("GET", "/hello").status, 200)


@test
def what_is_no_request_closes_the_connection_at_once():
    p = pool()
    rubbish = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 64, os.urandom(512),
               fcgi.record(fcgi.BEGIN_REQUEST, 1, b"\0\1", version=1),
               fcgi.record(fcgi.BEGIN_REQUEST, 0, b"\0\1" + b"\0" * 6),
               fcgi.begin() + fcgi.stdin(1, b"early"),
               fcgi.begin() + fcgi.record(fcgi.PARAMS, 1, b"\x05\x05ab") + fcgi.params(1, None),
               fcgi.begin() + fcgi.record(fcgi.PARAMS, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff"
                                          + b"a" * 100) + fcgi.params(1, None)]
    for bytes_ in rubbish * 3:
        with p.connect() as c:
            c.send(bytes_)
            assert c.closed_within(1.0), bytes_[:40]
    equal(p.request("GET", "/hello").status, 200)
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


@test
def a_head_that_breaks_off_between_two_parameters_is_not_run():
    p = pool(pool__receive_timeout_ms=300)
    head = fcgi.begin() + fcgi.params(1, fcgi.cgi("GET", "/hello"))
    for after in (b"", fcgi.stdin(1, b""), fcgi.record(8, 1)):
        for closes in (True, False):
            with p.connect() as c:
                c.send(head + after)
                if closes:
                    c.socket.shutdown(1)
                equal(c.receive().raw, b"", (after, closes))
    equal(p.request("GET", "/echo").status, 200)
    eventually(lambda: p.log_lines("request"), 2.0, "it is logged")
    equal([line["path"] for line in p.log_lines("request")], ["/echo"])


@test
def the_variables_of_the_protocol_can_be_asked_for():
    p = pool()
    with p.connect() as c:
        c.send(fcgi.record(fcgi.GET_VALUES, 0, fcgi.pair("FCGI_MPXS_CONNS", ""), padding=7))
        kind, _, content = c.receive_record()
        equal((kind, content), (fcgi.GET_VALUES_RESULT, fcgi.pair("FCGI_MPXS_CONNS", "0")))
        c.send(fcgi.encode("GET", "/hello", keep=True))
        equal(c.receive().status, 200)


@test
def lengths_of_two_gigabytes_cost_at_most_one_worker():
    # libfcgi 2.4.2 adds them up in an int and writes into what it then allocates.
    for name, value in ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0x80000001), (0x80000001, 0xFFFFFFFF)):
        p = Pool(TEST_PROGRAM, {"pool.workers": 2, "pool.receive_timeout_ms": 500},
                 may_overflow=True).start()
        before = set(p.worker_pids())
        with p.connect() as c:
            c.send(fcgi.begin(1, True),
                   fcgi.record(fcgi.PARAMS, 1, struct.pack(">II", name, value) + b"A" * 64))
            try:
                c.receive()  # whatever it still says, then the end
            except OSError:
                pass
        wait_until_whole(p, 2, 1.0)
        assert len(before - set(p.worker_pids())) <= 1, "one worker at most"
        for _ in range(10):
            equal(p.request("GET", "/hello").status, 200)
        p.stop()


@test
def repeated_variables_cost_one_worker_at_most_and_nothing_else():
    # libfcgi 2.4.2 writes their answer over the end of a buffer, and its stack protector aborts.
    # A release that does not is as welcome.
    p = Pool(TEST_PROGRAM, {"pool.workers": 2}, may_overflow=True).start()
    before = p.worker_pids()
    with p.connect() as c:
        c.send(fcgi.record(fcgi.GET_VALUES, 0, fcgi.pair("FCGI_MAX_CONNS", "") * 20,
                           padding=8))
        c.receive()  # whatever it still says, then the end
    time.sleep(0.5)
    took = wait_until_whole(p, 2)
    assert took < 1.0, took
    died = len([w for w in before if w not in p.worker_pids()])
    assert died <= 1, "the other worker is unharmed"
    for _ in range(20):
        equal(p.request("GET", "/hello").status, 200)
    equal(p.metric("hearth_pool_worker_restarts_total"), died)


@test
def a_multiplexing_peer_is_told_that_this_does_not_work():
    p = pool()
    with p.connect() as c:
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("POST", "/sink", length=2)),
               fcgi.begin(2, True))
        kind, request_id, content = c.receive_record()
        equal((kind, request_id, content[4]), (fcgi.END_REQUEST, 2, fcgi.CANT_MPX_CONN))
        c.send(fcgi.params(1, None), fcgi.stdin(1, b"ab"), fcgi.stdin(1, b""))
        equal(c.receive().json()["bytes"], 2)


# ---- Answers ----

@test
def headers_that_command_a_front_never_leave():
    p = pool()
    got = p.request("GET", "/control")
    equal(got.status, 200)
    equal(got.body, b"harmless\n")
    equal(got.header("x-harmless"), "/etc/hostname")
    bad = [n for n, _ in got.headers
           if n.startswith(("x-accel", "x-sendfile", "x-lighttpd"))]
    equal(bad, [])
    equal([v for n, v in got.headers if n == "status"], ["200 OK"])


@test
def large_answers_arrive_whole_with_and_without_a_length():
    p = pool()
    pattern = bytes(48 + i % 61 for i in range(61))
    for length in (0, 1):
        for size in (0, 1, 8191, 8192, 8193, 70000, 5000000):
            got = p.request("GET", f"/big?bytes={size}&length={length}")
            equal(len(got.body), size)
            assert got.body == (pattern * (size // 61 + 1))[:size]
            assert got.complete
            if length:
                equal(got.header("content-length"), str(size))
    got = p.request("HEAD", "/big?bytes=70000&length=1")
    equal((got.header("content-length"), got.body), ("70000", b""))


@test
def an_answer_that_breaks_off_has_no_end():
    p = pool()
    for keep in (True, False):
        with p.connect() as c:
            got = c.request("GET", "/abort?after=20000&flush=1", keep=keep)
            equal((got.complete, got.status, len(got.body)), (False, 200, 20000))
    got = p.request("GET", "/abort?after=20000")  # what was not sent when it broke is dropped
    equal(got.complete, False)
    assert len(got.body) < 20000, len(got.body)
    got = p.request("GET", "/abort?after=0")
    equal((got.complete, got.status), (True, 502), "nothing had gone out: a proper error")
    equal(p.request("GET", "/hello").status, 200)


@test
def fronts_that_hide_breaks_get_answers_whole_or_as_an_error():
    p = pool()

    def ask(target, software="Caddy/v2.6.2"):
        with p.connect() as c:
            pairs = [x for x in fcgi.cgi("GET", target) if x[0] != "SERVER_SOFTWARE"]
            pairs.append(("SERVER_SOFTWARE", software))
            c.send(fcgi.begin(), fcgi.params(1, pairs), fcgi.params(1, None), fcgi.stdin(1, b""))
            return c.receive()
    got = ask("/big?bytes=500000")
    equal((got.status, got.header("content-length"), len(got.body)), (200, "500000", 500000))
    got = ask("/big?bytes=3000000")  # more than is held
    equal((got.status, got.header("content-length"), len(got.body)), (200, None, 3000000))
    got = p.request("GET", "/big?bytes=500000")
    equal((got.header("content-length"), len(got.body)), (None, 500000))
    for software in ("Caddy/v2.6.2", "lighttpd/1.4.69"):
        broken = ask("/abort?after=500000", software)
        equal((broken.complete, broken.status, broken.body), (True, 502, b""))
        broken = ask("/abort?after=500000&flush=1", software)  # it was to go out
        equal((broken.complete, broken.status), (False, 200))
    equal(ask("/abort?after=500000", "nginx/1.22.1").complete, False)
    with p.connect() as c:
        pairs = [x for x in fcgi.cgi("HEAD", "/big?bytes=500000") if x[0] != "SERVER_SOFTWARE"]
        c.send(fcgi.begin(), fcgi.params(1, pairs + [("SERVER_SOFTWARE", "Caddy")]),
               fcgi.params(1, None), fcgi.stdin(1, b""))
        equal(c.receive().header("content-length"), None)


@test
def deep_handlers_have_stack_enough():
    p = pool()
    equal(p.request("GET", "/deep?bytes=400000").body, b"98\n")


if __name__ == "__main__":
    main()
