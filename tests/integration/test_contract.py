#!/usr/bin/python3
"""test_contract.py - the same cases through every web server, and what each of them loses.

The cases are data (tests/contract/cases.json), sent and judged by tests/contract/driver.py. Spoken to
directly over FastCGI the pool must satisfy all of them; behind a web server all but those marked `lossy`,
and what a server makes of these is published in docs/fronts.md. That table is written by this test
(HEARTH_WRITE_DOCS=1) and compared with what was measured.
"""
import difflib
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from contract import driver  # noqa: E402
from support import tap  # noqa: E402
from support.fronts import FRONTS, SEARCH_PATH, Front  # noqa: E402
from support.pool import Pool  # noqa: E402

TABLE = os.path.join(tap.ROOT, "docs", "fronts.md")
CASES = driver.load_cases()
DIRECT = "direct"
# What a pool may grow by while bodies pass through it, however long they are.
GROWTH_KILOBYTES = 4096
# How often it is looked at meanwhile; a fast machine needs several rounds of bodies for that.
LEAST_SAMPLES, MOST_ROUNDS = 21, 20

_measured = {}


def start_pool(**config):
    return Pool("program_pool", {"pool.threads": 8, **config}).start()


def start_front(name, pool):
    front = Front(name, pool.socket, tap.directory()).start()
    return driver.HttpCarrier(name, "127.0.0.1", front.port)


def measure(name):
    """{(topic, name): deviations} of every case that concerns this carrier; measured once."""
    if name not in _measured:
        # Short, for the front that stops sending a body once the answer has begun.
        pool = start_pool(**{"pool.receive_timeout_ms": 2000})
        carrier = driver.FcgiCarrier(pool.socket) if name == DIRECT else start_front(name, pool)
        results = {}
        for case in CASES:
            if name in case.get("carriers", [name]):
                results[case["topic"], case["name"]] = driver.run(carrier, case)
        _measured[name] = results
    return _measured[name]


def check(name, may_lose):
    results = measure(name)
    assert len(results) > 80, f"only {len(results)} cases ran"
    wrong = []
    for case in CASES:
        found = results.get((case["topic"], case["name"]))
        if found and not (may_lose and case.get("lossy")):
            for what, got, expected in found:
                wrong.append(f"{case['topic']}, {case['name']}: {what} is {str(got)[:200]!r}, "
                             f"not {str(expected)[:200]!r}")
    assert not wrong, f"{len(wrong)} deviations:\n" + "\n".join(wrong)


@tap.test
def spoken_to_directly_every_case_holds():
    check(DIRECT, may_lose=False)


@tap.test
def behind_nginx_only_what_may_be_lost_is_lost():
    check("nginx", may_lose=True)


@tap.test
def behind_apache_only_what_may_be_lost_is_lost():
    check("apache", may_lose=True)


@tap.test
def behind_lighttpd_only_what_may_be_lost_is_lost():
    check("lighttpd", may_lose=True)


@tap.test
def behind_caddy_only_what_may_be_lost_is_lost():
    check("caddy", may_lose=True)


# ---- The published table ----

def versions():
    """[(name, version)] of the web servers that were measured."""
    commands = {"nginx": ["nginx", "-v"], "apache": ["apache2", "-v"], "lighttpd": ["lighttpd", "-v"],
                "caddy": ["caddy", "version"]}
    found = []
    for name in FRONTS:
        run = subprocess.run(commands[name], capture_output=True, text=True, check=False,
                             env=dict(os.environ, PATH=SEARCH_PATH, HOME="/nonexistent"))
        found.append((name, re.search(r"\d+\.\d+\.\d+", run.stdout + run.stderr)[0]))
    return found


def cell(deviations):
    """What a front makes of a case, in as many words as fit."""
    if deviations is None:
        return ""
    if not deviations:
        return "✓"
    return "<br>".join(deviation(*d) for d in deviations)


def deviation(what, got, expected):
    if what == "status":
        return f"status {got}"
    if what in ("complete", "broken"):
        return "looks complete" if got == (what == "complete") else "looks broken off"
    if got is None or got == []:
        return f"no {what}"
    text = got if isinstance(got, str) else json.dumps(got)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = text.encode("ascii", "backslashreplace").decode()[:80]
    return f"{what}: `` {text} ``".replace("|", "\\|")


def write_table():
    lines = ["# What a web server in front of Hearth loses", "",
             "Written by `tests/integration/test_contract.py`, which sends the cases of "
             "`tests/contract/cases.json` through each", "server as configured in `deploy/` and compares "
             "what arrives, and what comes back, with what was sent. ✓: as it should be. A value: what "
             "arrived in its place.", "",
             "Measured with " + ", ".join(f"{n} {v}" for n, v in versions()) + ".", "",
             "## Lost", "",
             "| | " + " | ".join(FRONTS) + " |", "|---|" + "---|" * len(FRONTS)]
    whole = {}
    for case in CASES:
        key = case["topic"], case["name"]
        if not any(measure(name).get(key) for name in FRONTS):
            whole.setdefault(case["topic"], []).append(case["name"])
            continue
        cells = [cell(measure(name).get(key)) for name in FRONTS]
        lines.append(f"| {case['topic']}: {case['name']} | ".replace("\\", "\\\\") + " | ".join(cells) + " |")
    lines += ["", "## Carried by all of them", ""]
    lines += [f"- {topic}: " + "; ".join(names) for topic, names in whole.items()]
    return "\n".join(lines) + "\n"


@tap.test
def the_published_table_is_what_was_measured():
    table = write_table()
    if os.environ.get("HEARTH_WRITE_DOCS"):
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(table)
    with open(TABLE, encoding="utf-8") as file:
        published = file.read()
    unversioned = [re.sub("(?m)^Measured with .*$", "", text).splitlines() for text in (published, table)]
    difference = "\n".join(difflib.unified_diff(*unversioned, "published", "measured", lineterm="", n=0))
    if not difference:
        return
    measured_with = re.search("(?m)^Measured with .*$", published)
    if measured_with and measured_with[0] not in table:
        tap.skip(f"other servers than those of the table ({measured_with[0]}) differ from it")
    raise AssertionError("docs/fronts.md is not what was measured; if the change is meant, run this with "
                         f"HEARTH_WRITE_DOCS=1:\n{difference}")


# ---- Memory ----

class Sampler(threading.Thread):
    """The pool's dirty memory while something goes on: `with Sampler(pool) as s: ...; s.peak`."""

    def __init__(self, pool):
        super().__init__()
        self.pool, self.peak, self.samples, self.over = pool, 0, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            self.peak = max(self.peak, self.pool.dirty_kilobytes())
            self.samples += 1
            time.sleep(0.002)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def is_sanitized():
    with open(os.path.join(tap.BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        return bool(re.search(r"(?m)^HEARTH_SANITIZE:\w+=.+$", cache.read()))


def up(bytes_, chunked):
    return {"topic": "memory", "name": "up",
            "request": {"method": "PUT", "target": "/echo", "body": {"fill": bytes_}, "chunked": chunked},
            "expect": {"status": 200, "sent": True}}


def down(bytes_, target="/big"):
    return {"topic": "memory", "name": "down",
            "request": {"method": "GET", "target": f"{target}?bytes={bytes_}"},
            "expect": {"status": 200, "body_bytes": bytes_}}


def at_once(carrier, cases):
    """Sends all of them at the same time; what went wrong."""
    found = []
    threads = [threading.Thread(target=lambda c=case: found.extend(driver.run(carrier, c))) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def memory_is_bounded(name):
    if is_sanitized():
        tap.skip("a sanitizer's own memory is in the way")
    pool = start_pool(**{"pool.workers": 1})
    carrier = driver.FcgiCarrier(pool.socket) if name == DIRECT else start_front(name, pool)
    # Once for everything that is made at the first use.
    tap.equal(at_once(carrier, [up(100000, False), up(100000, True), down(100000)] * 2), [], "small")
    before = pool.dirty_kilobytes()
    rounds = 0
    with Sampler(pool) as sampler:
        while rounds < MOST_ROUNDS and sampler.samples < LEAST_SAMPLES:
            found = at_once(carrier, [up(10000000, False), up(10000000, True), down(100000000),
                                      down(100000000)])
            tap.equal(found, [], "large")
            rounds += 1
    assert sampler.samples >= LEAST_SAMPLES, f"only {sampler.samples} samples in {rounds} rounds"
    print(f"# {before} KB before, {sampler.peak} KB at most, {sampler.samples} samples, {rounds} rounds")
    assert sampler.peak - before <= GROWTH_KILOBYTES, \
        f"{before} KB before, {sampler.peak} KB with two 10 MB up and two 100 MB down"


@tap.test
def ten_megabytes_up_and_a_hundred_down_behind_nginx_need_little_memory():
    memory_is_bounded("nginx")


@tap.test
def ten_megabytes_up_and_a_hundred_down_behind_apache_need_little_memory():
    memory_is_bounded("apache")


@tap.test
def ten_megabytes_up_and_a_hundred_down_behind_lighttpd_need_little_memory():
    memory_is_bounded("lighttpd")


@tap.test
def ten_megabytes_up_and_a_hundred_down_behind_caddy_need_little_memory():
    memory_is_bounded("caddy")


if __name__ == "__main__":
    tap.main()
