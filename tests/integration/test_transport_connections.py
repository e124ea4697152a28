#!/usr/bin/python3
"""Connections: far more of them than threads, slow ones, silent ones, and ones that go away."""
import os
import resource
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import fcgi  # noqa: E402
from support.pool import TEST_PROGRAM, Pool  # noqa: E402
from support.tap import cleanup, equal, eventually, main, skip, test  # noqa: E402


def pool(environment=None, **config):
    return Pool(TEST_PROGRAM, {"pool.workers": 1, **{k.replace("__", "."): v
                                                     for k, v in config.items()}},
                environment=environment).start()


def in_threads(count, work):
    """Runs work(number) on so many threads; gives back what they returned or raised."""
    results = [None] * count

    def run(number):
        try:
            results[number] = work(number)
        except Exception as problem:  # noqa: BLE001
            results[number] = problem

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def reasons(p, path):
    return [line.get("reason") for line in p.log_lines("request") if line["path"] == path]


HALVES = {
    "the first byte of a header": fcgi.begin()[:1],
    "half a header": fcgi.begin()[:5],
    "only the beginning": fcgi.begin(1, True),
    "half the parameters": fcgi.begin(1, True) + fcgi.params(1, fcgi.cgi("GET", "/hello"))[:100],
    "all but the end of the parameters": fcgi.begin(1, True)
    + fcgi.params(1, fcgi.cgi("GET", "/hello")),
}


@test
def sixty_four_kept_connections_share_four_threads():
    p = pool()
    rounds = 60

    def client(number):
        slowest = 0.0
        with p.connect() as c:
            for i in range(rounds):
                began = time.monotonic()
                if number % 2:
                    body = bytes([number]) * (i * 37 % 3000)
                    got = c.request("POST", "/sink", body=body, length=len(body))
                    assert got.json()["bytes"] == len(body), got.raw
                else:
                    got = c.request("GET", "/hello")
                    assert got.body == b"hello", got.raw
                slowest = max(slowest, time.monotonic() - began)
        return slowest

    results = in_threads(64, client)
    errors = [r for r in results if not isinstance(r, float)]
    equal(errors, [])
    assert max(results) < 5.0, f"somebody starved: {max(results):.2f} s"
    eventually(lambda: p.metric("hearth_pool_connections") == 1, 2.0, "all are closed")
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


@test
def idle_kept_connections_hold_nobody_up():
    p = pool(pool__threads=1)
    idle = [p.connect() for _ in range(200)]
    for c in idle:
        equal(c.request("GET", "/hello").status, 200)
    began = time.monotonic()
    for c in idle:
        equal(c.request("GET", "/hello").status, 200)
    assert time.monotonic() - began < 5.0
    equal(p.metric("hearth_pool_connections"), 201)
    for c in idle:
        c.close()


@test
def connections_that_come_one_by_one_are_spread_over_the_workers():
    p = pool(pool__workers=3)
    many = []
    for _ in range(45):
        many.append(p.connect())
        equal(many[-1].request("GET", "/hello").status, 200)
    each = [v for n, v in p.metrics().items() if n.startswith("hearth_pool_connections")]
    equal(len(each), 3)
    assert min(each) >= 5, each


@test
def descriptors_beyond_1024_are_as_good_as_others():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        skip("the limit of descriptors is too low")
    p = pool(pool__threads=2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    cleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    many = [p.connect() for _ in range(1500)]
    for c in many[::-1]:
        equal(c.request("POST", "/sink", body=b"1").json()["bytes"], 1)
    for c in many[::50]:
        equal(c.request("GET", "/hello", keep=False).body, b"hello")
    for c in many[1::50]:
        c.send(b"rubbish that is no request")
        assert c.closed_within(2.0)
    eventually(lambda: p.metric("hearth_pool_connections") == 1500 - 60 + 1, 2.0, "sixty are closed")
    for c in many:
        c.close()
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


@test
def without_descriptors_it_says_so_once_a_second_and_recovers():
    p = pool(pool__threads=4)
    equal(p.request("GET", "/hello").status, 200)
    worker = p.worker_pids()[0]
    used = max(int(n) for n in os.listdir(f"/proc/{worker}/fd"))
    _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 3, hard))
    opened = [p.connect() for _ in range(30)]
    eventually(lambda: p.log_lines("accept_failed"), 3.0, "it says so")
    time.sleep(2.2)
    assert len(p.log_lines("accept_failed")) <= 4, len(p.log_lines("accept_failed"))
    for c in opened:
        c.close()
    equal(p.request("GET", "/hello").status, 200)


@test
def peers_that_begin_a_request_and_stop_starve_nobody():
    for threads in (1, 2, 4):
        p = pool(pool__threads=threads, pool__receive_timeout_ms=4000)
        silent = []
        for start in HALVES.values():
            for _ in range(6):
                silent.append(p.connect())
                silent[-1].send(start)
        time.sleep(0.2)
        began = time.monotonic()
        for _ in range(50):
            equal(p.request("GET", "/hello").status, 200)
        took = time.monotonic() - began
        assert took < 2.0, f"{threads} threads: 50 requests took {took:.1f} s"
        parked = p.metric("hearth_pool_parked_connections")
        assert parked > 0, "some wait without a thread"
        for c in silent:
            assert c.closed_within(12.0), "the receive time-out closes them"
        equal(p.metric("hearth_pool_parked_connections"), 0)
        eventually(lambda: p.metric("hearth_pool_connections") == 1, 2.0, "all are closed")
        equal(p.metric("hearth_pool_worker_restarts_total"), 0)
        p.stop()


@test
def a_connection_that_was_set_aside_is_served_once_its_head_is_there():
    p = pool(pool__threads=1, pool__receive_timeout_ms=10000)
    whole = fcgi.encode("POST", "/sink", body=b"abc" * 10000, keep=True)
    step = whole.index(fcgi.params(1, None)) // 8
    slow = [p.connect() for _ in range(8)]
    for n, c in enumerate(slow):
        c.send(whole[:1 + n * step])
    eventually(lambda: p.metric("hearth_pool_parked_connections") == 8, 3.0, "all are set aside")
    for n, c in enumerate(slow):
        c.send(whole[1 + n * step:])
        equal(c.receive().json()["bytes"], 30000)
        equal(c.request("GET", "/hello").status, 200)
    equal(p.metric("hearth_pool_parked_connections"), 0)


@test
def a_head_that_is_larger_than_what_is_looked_at_waits_for_a_free_thread():
    p = pool(pool__threads=2, http__max_head_bytes=4096, pool__receive_timeout_ms=3000)
    busy = p.connect()
    busy.send(fcgi.encode("GET", "/slow?ms=700"))
    eventually(lambda: p.metric("hearth_pool_threads_busy") == 2, 2.0, "one is busy")
    got = p.request("GET", "/hello", headers=[("X-Long", "a" * 100000)])
    equal(got.status, 431)
    equal(busy.receive().status, 200)


@test
def a_connection_that_never_sends_anything_costs_nothing():
    p = pool(pool__threads=1, pool__receive_timeout_ms=500)
    silent = [p.connect() for _ in range(50)]
    time.sleep(1.0)
    equal(p.request("GET", "/hello").status, 200)
    equal(p.metric("hearth_pool_connections"), 51)
    equal(silent[0].request("GET", "/hello").status, 200, "it may still come")


@test
def a_peer_that_never_closes_holds_no_thread():
    p = pool(pool__threads=1)
    opened = []
    for _ in range(10):  # not kept, and not closed by the peer either: libfcgi would wait 2 s each
        began = time.monotonic()
        c = p.connect()
        opened.append(c)
        equal(c.request("GET", "/hello", keep=False).body, b"hello")
        assert time.monotonic() - began < 0.5, "somebody was waited for"
        assert c.closed_within(0.5)


@test
def a_body_that_stalls_ends_with_the_receive_time_out():
    p = pool(pool__receive_timeout_ms=400)
    began = time.monotonic()
    with p.connect() as c:
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("POST", "/sink", length=1000)),
               fcgi.params(1, None), fcgi.stdin(1, b"only so much"))
        got = c.receive()
    equal(got.status, 408)
    assert 0.3 < time.monotonic() - began < 3.0


@test
def clients_who_withhold_their_bodies_starve_nobody():
    for path, status in (("/hello", 200), ("/sink", 503)):  # answered unread; wanted
        p = pool(pool__threads=4, pool__receive_timeout_ms=6000)
        stalled = [p.connect() for _ in range(24)]
        for c in stalled:
            c.send(fcgi.begin(1, True),
                   fcgi.params(1, fcgi.cgi("POST", path, length=100)),
                   fcgi.params(1, None), fcgi.stdin(1, b"x"))
        time.sleep(0.3)
        began = time.monotonic()
        equal(p.request("GET", "/hello").status, 200)
        equal(p.request("POST", "/echo", body=b"whole").status, 200)
        assert time.monotonic() - began < 4.0, path
        if status == 200:
            equal({c.receive().status for c in stalled}, {200})
        else:
            equal(stalled[-1].receive().status, 503, "told to come again")


WITHHELD = {
    "heads": HALVES["half the parameters"],
    "bodies": fcgi.begin(1, True) + fcgi.params(1, fcgi.cgi("POST", "/sink", length=100))
    + fcgi.params(1, None) + fcgi.stdin(1, b"x"),
    "long answers": fcgi.encode("GET", "/bulk?bytes=5000000"),
    "answers": fcgi.encode("GET", "/big?bytes=5000000"),
}


def expect_promptness(p, what):
    for _ in range(6):
        began = time.monotonic()
        equal(p.request("GET", "/hello").status, 200, what)
        took = time.monotonic() - began
        assert took < 2.0, f"{what}: {took:.1f} s"
    equal(p.request("POST", "/echo", body=b"whole").status, 200, what)


def hold_up(p, kinds, each):
    silent = []
    for kind in kinds:
        for _ in range(each):
            silent.append(p.connect())
            silent[-1].send(WITHHELD[kind])
        time.sleep(0.3)
    return silent


def peers_hold_up_all_they_can(threads):
    """One kind of waiting may have its share; two kinds together must not have two."""
    for kinds in (("heads", "bodies"), ("bodies", "heads"), ("long answers", "bodies"),
                  ("bodies", "long answers"), ("long answers", "heads"), ("answers",),
                  ("answers", "bodies"), ("heads", "answers")):
        p = pool(pool__threads=threads, pool__receive_timeout_ms=20000)
        silent = hold_up(p, kinds, 3 * threads)
        expect_promptness(p, f"{threads} threads, {' and '.join(kinds)}")
        for c in silent:
            c.close()
        eventually(lambda: p.metric("hearth_pool_connections") == 1, 5.0, "all are closed")
        equal(len(p.request("GET", "/bulk?bytes=5000000").body), 5000000, "the places are free")
        equal(p.metric("hearth_pool_worker_restarts_total"), 0)
        p.stop()


@test
def peers_who_withhold_two_things_have_no_more_of_six_threads_than_with_one():
    peers_hold_up_all_they_can(6)


@test
def peers_who_withhold_two_things_have_no_more_of_sixteen_threads_than_with_one():
    peers_hold_up_all_they_can(16)


@test
def an_answer_that_finds_no_thread_to_spare_is_cut_soon_and_says_why():
    p = pool(pool__threads=2, pool__receive_timeout_ms=8000)
    held = hold_up(p, ("bodies",), 1)
    c = p.connect()
    c.send(WITHHELD["answers"])
    eventually(lambda: reasons(p, "/big") == ["BUSY"], 2.0, "the reason is in the log")
    equal(p.request("GET", "/hello").status, 200)
    held[0].close()


@test
def a_body_that_trickles_ends_with_the_deadline():
    p = pool(pool__receive_timeout_ms=1000, pool__request_timeout_ms=1500)
    began = time.monotonic()
    with p.connect() as c:
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("POST", "/sink", length=1000)),
               fcgi.params(1, None))
        try:
            for _ in range(100):
                c.send(fcgi.stdin(1, b"x"))
                time.sleep(0.05)
        except OSError:
            pass
        got = c.receive()
    equal(got.status, 408)
    assert 1.0 < time.monotonic() - began < 8.0


@test
def a_peer_that_takes_nothing_gives_its_thread_back():
    p = pool(pool__threads=1, pool__send_timeout_ms=500)
    c = p.connect()
    c.send(fcgi.encode("GET", "/big?bytes=50000000"))
    time.sleep(0.2)
    began = time.monotonic()
    equal(p.request("GET", "/hello").status, 200)
    assert time.monotonic() - began < 3.0
    eventually(lambda: reasons(p, "/big") == ["DEADLINE"], 2.0, "the reason is in the log")


def take(c, piece, pause, seconds, until=lambda: False):
    """Reads so many bytes at a time; how many there were before the end, or the time was over."""
    taken, end = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end and not until():
            data = c.socket.recv(piece)
            if not data:
                break
            taken += len(data)
            time.sleep(pause)
    except OSError:
        pass
    return taken


@test
def an_answer_that_flows_goes_on_behind_the_deadline():
    p = pool(pool__threads=1, pool__request_timeout_ms=1000, pool__least_send_bytes_per_s=200000)
    with p.connect() as c:
        c.send(fcgi.encode("GET", "/big?bytes=4000000"))
        began = time.monotonic()
        taken = take(c, 50000, 0.05, 20.0)  # 1 MB a second at most
    assert taken > 4000000, f"cut after {taken} bytes and {time.monotonic() - began:.1f} s"
    assert time.monotonic() - began > 3.0, "it was no slow line"
    equal(reasons(p, "/big"), [None])


@test
def a_peer_that_takes_its_answer_in_drops_is_left_soon_behind_the_deadline():
    p = pool(pool__threads=1, pool__send_timeout_ms=5000, pool__request_timeout_ms=1500,
             pool__least_send_bytes_per_s=100000)
    c = p.connect()
    c.send(fcgi.encode("GET", "/big?bytes=50000000"))
    began = time.monotonic()
    take(c, 2000, 0.1, 9.0, lambda: reasons(p, "/big"))
    eventually(lambda: reasons(p, "/big") == ["DEADLINE"], 1.0, "the reason is in the log")
    assert 1.0 < time.monotonic() - began < 8.0
    equal(p.request("GET", "/hello").status, 200)


@test
def what_a_peer_took_fast_buys_it_no_more_than_one_time_out():
    p = pool(pool__threads=1, pool__send_timeout_ms=5000, pool__request_timeout_ms=1500,
             pool__least_send_bytes_per_s=100000)
    c = p.connect()
    c.send(fcgi.encode("GET", "/big?bytes=50000000"))
    taken = 0
    while taken < 20000000:  # 200 s worth of it
        taken += len(c.socket.recv(1 << 18))
    began = time.monotonic()
    take(c, 2000, 0.1, 9.0, lambda: reasons(p, "/big"))
    eventually(lambda: reasons(p, "/big") == ["DEADLINE"], 1.0, "the reason is in the log")
    assert time.monotonic() - began < 8.0
    equal(p.request("GET", "/hello").status, 200)


@test
def a_peer_that_sends_all_of_its_body_before_it_reads_gets_its_answer():
    """As Caddy does. Closing while it still sends would cost it the answer."""
    p = pool(pool__threads=1)
    body = b"x" * 60000
    with p.connect() as c:
        c.send(fcgi.begin(1, True),
               fcgi.params(1, fcgi.cgi("POST", "/hello", length=100 * len(body))),
               fcgi.params(1, None))
        for _ in range(100):  # on a machine that has other things to do
            c.send(fcgi.stdin(1, body))
            time.sleep(0.04)
        c.send(fcgi.stdin(1, b""))
        equal(c.receive().body, b"hello")


@test
def a_peer_that_was_answered_may_not_send_for_ever():
    p = pool(pool__threads=1, pool__request_timeout_ms=1000)
    began = time.monotonic()
    with p.connect() as c:
        c.send(fcgi.begin(1, True), fcgi.params(1, fcgi.cgi("POST", "/hello", length=10**9)),
               fcgi.params(1, None))
        try:
            while time.monotonic() - began < 8.0:
                c.send(fcgi.stdin(1, b"x" * 1000))
                time.sleep(0.02)
        except OSError:
            pass
    assert 0.8 < time.monotonic() - began < 5.0, time.monotonic() - began
    equal(p.request("GET", "/hello").status, 200)


@test
def disconnects_in_mid_answer_free_the_thread():
    p = pool(pool__threads=2)
    for _ in range(10):
        c = p.connect()
        c.send(fcgi.encode("GET", "/big?bytes=50000000", keep=True))
        c.socket.recv(1000)
        c.close()
    for _ in range(10):  # with bytes of ours unread on the way: a reset
        c = p.connect()
        c.send(fcgi.encode("POST", "/echo-body", body=b"x" * 200000))
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        c.close()
    began = time.monotonic()
    equal(p.request("GET", "/hello").status, 200)
    assert time.monotonic() - began < 2.0
    eventually(lambda: p.metric("hearth_pool_connections") == 1, 3.0, "all are closed")
    eventually(lambda: reasons(p, "/big") == ["CLIENT_GONE"] * 10, 2.0, "the reason is in the log")
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


@test
def an_answer_before_the_body_is_read_reaches_a_peer_that_still_sends():
    for listen in ("unix", "tcp"):
        p = Pool(TEST_PROGRAM, {"pool.workers": 1, "pool.threads": 1,
                                "http.max_body_bytes": 1000}, listen=listen).start()
        with p.connect() as c:
            request = fcgi.encode("POST", "/hello", body=b"x" * 8000000, keep=True)
            answer = []
            reader = threading.Thread(target=lambda: answer.append(c.receive()))
            reader.start()
            try:
                c.send(request)
            except OSError:
                pass  # it was told long before it had sent all
            reader.join(10)
        equal((answer[0].complete, answer[0].status), (True, 200), listen)
        equal(p.request("GET", "/hello").status, 200)
        eventually(lambda: p.metric("hearth_pool_connections") == 1, 4.0, "it is closed in the end")
        p.stop()


@test
def a_bulkhead_leaves_threads_for_the_rest():
    p = pool(pool__threads=6)
    slow = [p.connect() for _ in range(4)]
    for c in slow:
        c.send(fcgi.encode("GET", "/bulkhead?ms=1500"))
    time.sleep(0.3)
    began = time.monotonic()
    for _ in range(20):
        equal(p.request("GET", "/hello").status, 200)
    assert time.monotonic() - began < 1.0
    statuses = [c.receive() for c in slow]
    equal(sorted(r.status for r in statuses), [200, 200, 503, 503])
    refused = next(r for r in statuses if r.status == 503)
    assert refused.header("retry-after"), refused.headers
    equal(p.request("GET", "/bulkhead?ms=1").status, 200, "the places are free again")


@test
def a_library_that_takes_no_connections_is_worked_around():
    p = pool(environment={"HEARTH_TEST_DISTRUST": "1"})
    equal(len(p.log_lines("transport_fallback")), 1)
    for keep in (True, False):
        for i in range(20):
            with p.connect() as c:
                got = c.request("POST", "/sink", body=b"x" * (i * 1000), keep=keep,
                                length=i * 1000)
                equal(got.json()["bytes"], i * 1000)
                assert c.closed_within(3.0), "it serves one request a connection"
    results = in_threads(16, lambda n: p.request("GET", f"/big?bytes={n * 10000}").body)
    equal([len(r) for r in results], [n * 10000 for n in range(16)])
    equal(p.request("GET", "/abort?after=20000&flush=1").complete, False)
    equal(p.request("POST", "/sink", body=b"12345", length=4).status, 400)
    equal(p.stop(), 0)


@test
def an_ordinary_library_is_trusted():
    p = pool()
    equal(p.log_lines("transport_fallback"), [])


if __name__ == "__main__":
    main()
