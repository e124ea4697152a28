#!/usr/bin/python3
"""What a pool costs: at rest, after many requests, while large bodies pass."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import tap  # noqa: E402
from support.load import Load  # noqa: E402
from support.pool import TEST_PROGRAM, Pool  # noqa: E402
from support.tap import equal, full, main, skip, test  # noqa: E402


def sanitized(build):
    with open(os.path.join(build, "CMakeCache.txt")) as cache:
        return any(line.startswith("HEARTH_SANITIZE:") and line.strip().partition("=")[2]
                   for line in cache)


def released():
    """The test program as it would be released: a sanitizer's shadow says nothing about memory."""
    for build in (tap.BUILD, os.path.join(tap.ROOT, "build")):
        program = os.path.join(build, "programs", TEST_PROGRAM)
        if os.path.exists(program) and not sanitized(build):
            return program
    skip("there is no build without sanitizers")


@test
def at_rest_and_after_many_requests():
    p = Pool(released(), {"pool.workers": 2, "pool.threads": 16, "log.requests": False}).start()
    time.sleep(0.5)
    rest = p.dirty_kilobytes()
    count = 200000 if full() else 20000
    with Load(p.socket, connections=16, per_connection=1000) as load:
        load.wait_for(count // 10, 60)
        warm = p.dirty_kilobytes()
        load.wait_for(count, 300)
        end = p.dirty_kilobytes()
    equal(load.failures, [])
    print(f"# Pss_Dirty of 2 x 16 threads: {rest} kB at rest, {warm} kB warm, {end} kB after {count}")
    assert rest < 8 * 1024, rest
    assert end < warm + 512, (warm, end)


@test
def large_bodies_pass_through_little_memory():
    p = Pool(released(), {"pool.workers": 1, "log.requests": False,
                            "http.max_body_bytes": 1 << 30}).start()
    p.request("POST", "/sink", body=b"x" * 1000000)
    before = p.dirty_kilobytes()
    body = b"x" * (64 << 20)
    with p.connect() as c:
        equal(c.request("POST", "/sink", body=body).json()["bytes"], len(body))
        equal(len(c.request("GET", "/big?bytes=100000000").body), 100000000)
    after = p.dirty_kilobytes()
    assert after < before + 512, (before, after)


if __name__ == "__main__":
    main()
