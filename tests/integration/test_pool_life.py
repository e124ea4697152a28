#!/usr/bin/python3
"""The life of a pool: it drains, reloads, replaces what dies, and ends in good order."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import fcgi  # noqa: E402
from support.load import Load  # noqa: E402
from support.pool import TEST_PROGRAM, Pool, alive, suspend, wait_until_whole  # noqa: E402
from support.tap import equal, eventually, main, test  # noqa: E402


def pool(**config):
    return Pool(TEST_PROGRAM, {k.replace("__", "."): v for k, v in config.items()}).start()


def greetings(p):
    return {p.request("GET", "/hello").body for _ in range(20)}


# ---- Names and signals ----

@test
def the_processes_can_be_told_apart():
    p = pool(pool__workers=3)
    names = {}
    for pid in p.all_pids():
        with open(f"/proc/{pid}/comm") as file:
            names.setdefault(file.read().strip(), []).append(pid)
    equal({n: len(pids) for n, pids in names.items()},
          {"hearth-master": 1, "hearth-worker": 3, "hearth-keeper": 1})
    equal(int(p.request("GET", "/keeper").body), p.keeper_pid())
    assert int(p.request("GET", "/pid").body) in p.worker_pids()


@test
def no_signal_handler_of_the_library_is_left():
    p = pool()
    for pid in p.all_pids():
        with open(f"/proc/{pid}/status") as file:
            masks = dict(line.split(":\t") for line in file.read().splitlines() if ":\t" in line)
        caught, ignored = int(masks["SigCgt"], 16), int(masks["SigIgn"], 16)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE, signal.SIGHUP):
            assert not caught >> (number - 1) & 1, (pid, number)
        assert ignored >> (signal.SIGPIPE - 1) & 1, pid


@test
def a_pid_file_says_who_the_master_is():
    p = Pool(TEST_PROGRAM)
    path = os.path.join(p.dir, "hearth.pid")
    p.configure({"pool.pid_file": path})
    p.start()
    with open(path) as file:
        equal(int(file.read()), p.master_pid)
    equal(p.stop(), 0)
    assert not os.path.exists(path)
    q = Pool(TEST_PROGRAM, {"pool.pid_file": "/nowhere/hearth.pid"})
    q.start(wait=False)
    equal(q.wait(), 1)
    assert "pool.pid_file" in q.output()


# ---- The end ----

@test
def sigterm_while_idle_ends_it_at_once():
    for number in (signal.SIGTERM, signal.SIGINT):
        p = pool()
        equal(p.request("GET", "/hello").status, 200)
        pids = p.all_pids()
        began = time.monotonic()
        equal(p.stop(number), 0)
        assert time.monotonic() - began < 2.0
        assert not any(alive(pid) for pid in pids)
        equal(p.log_lines("pool_ended")[0]["exit_code"], 0)


@test
def sigterm_while_busy_lets_requests_finish():
    p = pool()
    slow = [p.connect() for _ in range(6)]
    for c in slow:
        c.send(fcgi.encode("GET", "/slow?ms=1200"))
    time.sleep(0.3)
    os.kill(p.master_pid, signal.SIGTERM)
    eventually(lambda: not os.path.exists(p.socket), 1.0, "nobody can come any more")
    for c in slow:
        got = c.receive()
        equal((got.status, got.body, got.complete), (200, b"slow\n", True))
    equal(p.wait(10), 0)


@test
def kept_connections_are_served_until_the_front_closes_them():
    p = pool(pool__drain_timeout_ms=20000)
    with p.connect() as c:
        equal(c.request("GET", "/hello").status, 200)
        os.kill(p.master_pid, signal.SIGTERM)
        for _ in range(10):
            time.sleep(0.1)
            equal(c.request("POST", "/sink", body=b"abc").json()["bytes"], 3)
    began = time.monotonic()
    equal(p.wait(10), 0)
    assert time.monotonic() - began < 2.0, "then it ends"


@test
def a_front_that_does_not_close_is_left_when_the_time_is_over():
    p = pool(pool__drain_timeout_ms=1000)
    with p.connect() as c:
        equal(c.request("GET", "/hello").status, 200)
        began = time.monotonic()
        equal(p.stop(), 0)
        assert 0.8 < time.monotonic() - began < 4.0
        assert c.closed_within(1.0)
    p = pool(pool__drain_timeout_ms=500)
    with p.connect() as c:
        c.send(fcgi.encode("GET", "/slow?ms=20000"))
        time.sleep(0.2)
        began = time.monotonic()
        equal(p.stop(), 0)
        assert time.monotonic() - began < 4.0, "also in mid-request"
        equal(c.receive().complete, False)


@test
def a_second_sigterm_ends_it_now():
    p = pool(pool__drain_timeout_ms=30000)
    with p.connect() as c:
        c.send(fcgi.encode("GET", "/slow?ms=20000"))
        time.sleep(0.2)
        os.kill(p.master_pid, signal.SIGTERM)
        time.sleep(0.3)
        assert alive(p.master_pid)
        began = time.monotonic()
        equal(p.stop(), 0)
        assert time.monotonic() - began < 2.0
        equal(c.receive().complete, False)


@test
def nobody_who_waited_to_be_accepted_is_forgotten():
    check_that_nobody_is_forgotten(pool(pool__workers=1, pool__threads=1))


@test
def nor_who_waited_on_a_tcp_port():
    p = Pool(TEST_PROGRAM, {"pool.workers": 1, "pool.threads": 1}, listen="tcp").start()
    check_that_nobody_is_forgotten(p)


def check_that_nobody_is_forgotten(p):
    busy = p.connect()
    busy.send(fcgi.encode("GET", "/slow?ms=800"))
    time.sleep(0.2)
    waiting = [p.connect() for _ in range(10)]
    for c in waiting:
        c.send(fcgi.encode("GET", "/hello"))
    os.kill(p.master_pid, signal.SIGTERM)
    equal(busy.receive().status, 200)
    equal([c.receive().status for c in waiting], [200] * 10)
    equal(p.wait(10), 0)


# ---- Reload ----

@test
def sighup_brings_the_new_configuration_without_failing_a_request():
    p = pool(pool_test__greeting="one")
    with Load(p.socket, connections=8) as load:
        for number, word in enumerate(("two", "three", "four")):
            load.wait_for(300)
            before = p.worker_pids()
            assert p.reload({"pool_test.greeting": word})
            eventually(lambda: len(p.log_lines("reload_settled")) == number + 1, 15.0,
                       "the old workers are gone")
            assert not set(before) & set(p.worker_pids())
            equal(greetings(p), {word.encode()})
        load.wait_for(300)
    equal(load.failures, [])
    assert load.done > 1000, load.done
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)
    equal(p.metric("hearth_pool_workers"), 2)
    equal(p.metrics()['hearth_pool_reloads_total{outcome="done"}'], 3)
    equal(p.stop(), 0)


@test
def sighup_with_a_bad_configuration_changes_nothing_and_says_everything():
    p = pool(pool_test__greeting="good")
    workers, keeper = p.worker_pids(), p.keeper_pid()
    with Load(p.socket) as load:
        load.wait_for(100)
        assert not p.reload({"pool.workers": 900, "pool_test.greeting": "bad",
                             "http.nonsense": 1})
        load.wait_for(200)
    equal(load.failures, [])
    equal((p.worker_pids(), p.keeper_pid()), (workers, keeper))
    equal(greetings(p), {b"good"})
    equal({line["key"] for line in p.log_lines("config_problem")}, {"pool.workers", "http.nonsense"})
    assert all(p.config_file in line["where"] for line in p.log_lines("config_problem"))
    equal(p.metrics()['hearth_pool_reloads_total{outcome="refused"}'], 1)
    assert p.reload({"pool.workers": 1, "http.nonsense": None})
    eventually(lambda: p.log_lines("reload_settled"), 15.0, "the old workers are gone")
    equal(greetings(p), {b"bad"})


@test
def sighup_with_a_module_that_does_not_start_changes_nothing():
    p = pool(pool_test__greeting="good")
    for key in ("pool_test.start_fails", "pool_test.start_crashes"):
        workers = p.worker_pids()
        with Load(p.socket) as load:
            load.wait_for(50)
            assert not p.reload({key: True, "pool_test.greeting": "bad"})
            load.wait_for(100)
        equal(load.failures, [], key)
        eventually(lambda: p.worker_pids() == workers, 5.0, "the new workers are gone")
        equal(greetings(p), {b"good"})
        p.configure({key: False})
    reason = p.log_lines("reload_refused")[0]["detail"]
    assert "told not to start" in reason, reason
    assert p.reload({"pool_test.greeting": "better"})
    eventually(lambda: greetings(p) == {b"better"}, 10.0, "the old workers take no connection any more")


@test
def sighup_does_not_move_data_under_a_running_pool():
    p = pool(pool_test__greeting="good")
    for key in ("state.directory", "objects.directory"):
        before = p.config.get(key)
        assert not p.reload({key: os.path.join(p.dir, "elsewhere"), "pool_test.greeting": "bad"})
        equal(p.log_lines("restart_needed")[-1]["key"], key)
        equal(greetings(p), {b"good"})
        p.configure({key: before})
    assert p.reload({"pool_test.greeting": "better"})
    eventually(lambda: p.log_lines("reload_settled"), 10.0, "the old workers are gone")
    equal(greetings(p), {b"better"})


@test
def sighup_changes_the_number_of_workers():
    p = pool(pool__workers=4, pool__threads=2)
    assert p.reload({"pool.workers": 2})
    eventually(lambda: len(p.worker_pids()) == 2, 10.0, "two are left")
    eventually(lambda: p.log_lines("reload_settled"), 10.0, "the reload is over")
    assert p.reload({"pool.workers": 3, "pool.threads": 1})
    eventually(lambda: len(p.worker_pids()) == 3, 10.0, "three again")
    eventually(lambda: len(p.log_lines("reload_settled")) == 2, 10.0, "the reload is over")
    assert p.reload({"pool.workers": 40})
    equal(p.log_lines("restart_needed")[-1]["key"], "pool.workers, pool.threads")
    eventually(lambda: len(p.log_lines("reload_settled")) == 3, 10.0, "the reload is over")
    equal(len(p.worker_pids()), 3)
    assert p.reload({"pool.workers": 3, "pool.listen": "unix:/elsewhere.sock"})
    equal(p.log_lines("restart_needed")[-1]["key"], "pool.listen")
    equal(p.request("GET", "/hello").status, 200)


@test
def many_sighups_at_once_are_one():
    p = pool()
    with Load(p.socket) as load:
        load.wait_for(50)
        suspend(p.master_pid)
        for _ in range(30):
            os.kill(p.master_pid, signal.SIGHUP)
        os.kill(p.master_pid, signal.SIGCONT)
        load.wait_for(200)
    equal(load.failures, [])
    eventually(lambda: len(p.log_lines("reload_began")) == len(p.log_lines("reload_done"))
               and p.log_lines("reload_settled") and len(p.worker_pids()) == 2, 15.0,
               "all reloads are over")
    equal(len(p.log_lines("reload_done")), 1)
    equal(p.stop(), 0)


@test
def a_second_sighup_does_not_wait_for_the_drain_of_the_first():
    p = pool(pool__workers=1, pool__drain_timeout_ms=20000)
    kept = []
    began = time.monotonic()
    for word in ("two", "three"):
        kept.append(p.connect())  # as fronts keep them
        equal(kept[-1].request("GET", "/hello", keep=True).status, 200)
        assert p.reload({"pool_test.greeting": word})
    assert time.monotonic() - began < 8.0
    eventually(lambda: greetings(p) == {b"three"}, 5.0, "only the last ones take new connections")
    os.kill(p.master_pid, signal.SIGHUP)
    eventually(lambda: p.log_lines("reload_waits"), 5.0, "for two generations it has room")
    for c in kept:
        equal(c.request("GET", "/hello", keep=True).status, 200)
        c.close()
    eventually(lambda: len(p.log_lines("reload_done")) == 3, 10.0, "the third was not forgotten")
    eventually(lambda: p.log_lines("reload_settled"), 10.0, "all is settled")
    equal(p.stop(), 0)


@test
def a_reload_after_which_the_keeper_cannot_start_is_mended_by_another():
    p = pool(pool__drain_timeout_ms=20000)
    assert p.reload({"pool_test.keeper_locked": True, "pool_test.greeting": "bad"})
    eventually(lambda: p.log_lines("child_failed"), 10.0, "the keeper does not start")
    assert p.reload({"pool_test.keeper_locked": False, "pool_test.greeting": "good"})
    eventually(lambda: p.log_lines("reload_settled"), 15.0, "it is settled")
    equal(int(p.request("GET", "/keeper").body), p.keeper_pid())
    equal(greetings(p), {b"good"})
    equal(p.stop(), 0)


@test
def sigterm_while_the_keeper_is_handed_over_leaves_no_request_without_one():
    p = pool(pool__drain_timeout_ms=20000)
    keeper = p.keeper_pid()
    kept = p.connect()
    equal(kept.request("GET", "/hello", keep=True).status, 200)
    suspend(keeper)  # stands for a disk that takes its time
    assert p.reload()
    os.kill(p.master_pid, signal.SIGTERM)
    eventually(lambda: p.log_lines("pool_stopping"), 5.0, "it is stopping")
    os.kill(keeper, signal.SIGCONT)
    eventually(lambda: p.keeper_pid() not in (None, keeper), 5.0, "a keeper again")
    got = kept.request("GET", "/keeper", keep=True)
    equal((got.status, int(got.body)), (200, p.keeper_pid()))
    os.kill(p.keeper_pid(), signal.SIGKILL)
    eventually(lambda: len(p.log_lines("keeper_started")) == 3, 5.0, "and one that dies comes back")
    kept.close()
    equal(p.wait(15), 0)


@test
def the_keeper_is_handed_over_while_requests_wait_for_it():
    p = pool()
    before = p.keeper_pid()
    with Load(p.socket, connections=6, targets=[("GET", "/keeper", b"")]) as load:
        for number in range(3):
            load.wait_for(100)
            assert p.reload()
            eventually(lambda: len(p.log_lines("reload_settled")) == number + 1, 15.0, "settled")
        load.wait_for(100)
    equal(load.failures, [])
    assert p.keeper_pid() not in (None, before)
    equal(int(p.request("GET", "/keeper").body), p.keeper_pid())
    equal(p.metric("hearth_pool_keeper_restarts_total"), 0)


# ---- Logs ----

@test
def sigusr1_opens_the_log_again_in_every_process():
    p = pool()
    equal(p.request("GET", "/hello").status, 200)
    eventually(lambda: p.log_lines("request"), 2.0, "its line, which is written behind the answer")
    moved = p.log_file + ".1"
    os.rename(p.log_file, moved)
    os.kill(p.master_pid, signal.SIGUSR1)
    eventually(lambda: all(os.path.realpath(f"/proc/{pid}/fd/{fd}") != moved
                           for pid in p.all_pids() for fd in os.listdir(f"/proc/{pid}/fd")),
               5.0, "nobody holds the old file")
    size = os.path.getsize(moved)
    for _ in range(20):
        equal(p.request("GET", "/hello").status, 200)
    eventually(lambda: len(p.log_lines("request")) == 20, 2.0, "all are in the new file")
    equal(os.path.getsize(moved), size)


# ---- What dies ----

@test
def a_worker_killed_under_load_costs_only_its_own_requests():
    p = pool(pool__workers=2, pool__threads=4)
    with Load(p.socket, connections=8) as load:
        for _ in range(5):
            load.wait_for(200)
            victim = p.worker_pids()[0]
            failed = len(load.failures)
            os.kill(victim, signal.SIGKILL)
            took = wait_until_whole(p, 2, 1.0, other_than=(victim,))
            assert took < 1.0, took
            load.wait_for(200)
            lost = len(load.failures) - failed
            assert lost <= 8, f"{lost} requests failed, one a connection is the most"
    equal(p.metric("hearth_pool_worker_restarts_total"), 5)
    eventually(lambda: p.metric("hearth_pool_connections") == 1, 3.0, "the dead count no longer")
    equal(p.metric("hearth_pool_threads_busy"), 1)


@test
def a_crashing_handler_costs_its_worker_and_nothing_else():
    p = pool()
    for _ in range(3):
        equal(p.request("GET", "/crash").complete, False)
        wait_until_whole(p, 2)
        equal(p.request("GET", "/hello").status, 200)
    ended = [line for line in p.log_lines("worker_ended") if line["signal"] == signal.SIGABRT]
    equal(len(ended), 3)


@test
def workers_that_die_young_again_and_again_are_not_restarted_in_a_frenzy():
    p = pool(pool__workers=1)
    for _ in range(4):
        wait_until_whole(p, 1, 3.0)
        os.kill(p.worker_pids()[0], signal.SIGKILL)
        time.sleep(0.05)
    # 0, 0.1, 0.2, 0.4 s: the fourth is still being waited for
    began = time.monotonic()
    eventually(lambda: p.worker_pids(), 3.0, "it comes back")
    assert time.monotonic() - began > 0.1
    eventually(lambda: len(p.log_lines("worker_started")) == 5, 3.0, "five were started")
    equal(p.request("GET", "/hello").status, 200)


@test
def a_keeper_that_is_killed_comes_back_and_nobody_waits_in_vain():
    p = pool()
    for number in range(5):
        before = p.keeper_pid()
        suspend(before)
        with p.connect() as c:
            c.send(fcgi.encode("GET", "/keeper"))
            time.sleep(0.1)
            os.kill(before, signal.SIGKILL)
            equal(c.receive().status, 503)
        eventually(lambda: p.keeper_pid() not in (None, before), 5.0, "another keeper")
        eventually(lambda: p.request("GET", "/keeper").status == 200, 5.0, "it works")
        equal(int(p.request("GET", "/keeper").body), p.keeper_pid())
    equal(p.metric("hearth_pool_keeper_restarts_total"), 5)
    equal(p.metric("hearth_pool_worker_restarts_total"), 0)


# ---- Starts that fail ----

@test
def a_keeper_that_cannot_start_keeps_the_pool_from_starting():
    p = Pool(TEST_PROGRAM, {"pool_test.keeper_locked": True})
    p.start(wait=False)
    equal(p.wait(10), 1)
    assert "locked by process 1" in p.output(), p.output()
    assert not os.path.exists(p.socket)
    p.configure({"pool_test.keeper_locked": False})
    p.start()
    equal(p.request("GET", "/hello").status, 200)


@test
def a_module_that_cannot_start_keeps_the_pool_from_starting():
    for key, words in (("pool_test.start_fails", "told not to start"),
                       ("pool_test.start_crashes", "ended before it was ready")):
        p = Pool(TEST_PROGRAM, {key: True})
        p.start(wait=False)
        equal(p.wait(10), 1)
        assert words in p.output(), p.output()


@test
def it_leaves_no_process_behind_whatever_happens():
    p = pool(pool__workers=3)
    pids = p.all_pids()
    for pid in p.worker_pids():
        suspend(pid)  # they cannot even drain
    os.kill(p.master_pid, signal.SIGTERM)
    time.sleep(0.2)
    equal(p.stop(), 0)
    assert not any(alive(pid) for pid in pids)
    left = subprocess.run(["pgrep", "-g", str(p.process.pid)], capture_output=True, check=False)
    equal(left.stdout, b"")


if __name__ == "__main__":
    main()
