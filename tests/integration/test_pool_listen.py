#!/usr/bin/python3
"""Ways of listening, and all the reasons not to."""
import grp
import os
import signal
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import tap  # noqa: E402
from support.pool import TEST_PROGRAM, Pool, alive, program_path  # noqa: E402
from support.tap import equal, eventually, main, skip, test  # noqa: E402


def refused(pool, timeout=20.0):
    """Starts a pool that must not start; gives back what it said."""
    pool.start(wait=False)
    code = pool.process.wait(timeout)
    equal(code, 1, pool.output())
    return pool.output()


def check_serving(pool):
    for _ in range(5):
        equal(pool.request("GET", "/hello").body, b"hello")


# ---- Four ways ----

@test
def its_own_unix_socket():
    p = Pool(TEST_PROGRAM).start()
    check_serving(p)
    equal(stat.S_IMODE(os.stat(p.socket).st_mode), 0o660)
    equal(p.log_lines("pool_ready")[0]["listen"], f"unix:{p.socket}")
    equal(p.stop(), 0)
    assert not os.path.exists(p.socket), "it takes its socket along"


@test
def its_own_tcp_port():
    p = Pool(TEST_PROGRAM, listen="tcp").start()
    check_serving(p)
    equal(p.log_lines("pool_ready")[0]["listen"], "tcp:127.0.0.1:%d" % p.socket[1])
    equal(p.stop(), 0)
    p.start()
    check_serving(p)


@test
def its_own_tcp_port_of_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
    except OSError:
        skip("no IPv6 here")
    p = Pool(TEST_PROGRAM, {"pool.listen": f"tcp:[::1]:{port}"}).start()
    equal(p.log_lines("pool_ready")[0]["listen"], f"tcp:[::1]:{port}")
    with socket.create_connection(("::1", port), 2.0):
        pass


@test
def a_socket_from_spawn_fcgi():
    p = Pool(TEST_PROGRAM, listen="fd0").start()
    check_serving(p)
    equal(p.log_lines("pool_ready")[0]["listen"], f"unix:{p.socket}")
    for pid in p.all_pids():
        equal(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
    equal(p.stop(), 0)
    assert os.path.exists(p.socket), "the socket is not ours"


@test
def a_socket_from_spawn_fcgi_that_forks():
    p = Pool(TEST_PROGRAM, listen="fd0-fork").start()
    check_serving(p)
    p.stop()
    assert not alive(p.master_pid)


@test
def a_socket_from_systemd():
    p = Pool(TEST_PROGRAM, listen="systemd").start()
    check_serving(p)
    equal(p.log_lines("pool_ready")[0]["listen"], f"unix:{p.socket}")
    for pid in p.worker_pids():
        with open(f"/proc/{pid}/fdinfo/3") as file:
            flags = next(line.split()[1] for line in file if line.startswith("flags:"))
        assert int(flags, 8) & os.O_CLOEXEC, "it is closed on exec"
    equal(p.stop(), 0)
    assert os.path.exists(p.socket), "the socket is not ours"


@test
def announced_sockets_of_another_process_are_not_taken():
    p = Pool(TEST_PROGRAM, environment={"LISTEN_FDS": "1", "LISTEN_PID": "1"}).start()
    check_serving(p)
    equal(p.log_lines("pool_ready")[0]["listen"], f"unix:{p.socket}")


@test
def two_announced_sockets_are_one_too_many():
    p = Pool(TEST_PROGRAM)
    become = ("import os, sys; os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2'); "
              "os.execv(sys.argv[1], sys.argv[1:])")
    os.makedirs(os.path.join(p.dir, "state"))
    done = subprocess.run([sys.executable, "-c", become] + p.command(), capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=20, check=False)
    equal(done.returncode, 1)
    assert "LISTEN_FDS" in done.stderr, done.stderr


# ---- Mode and group ----

@test
def mode_and_group_of_the_socket():
    if os.getuid() != 0:
        skip("only root can give a file to any group")
    p = Pool(TEST_PROGRAM, {"pool.socket_mode": "0640", "pool.socket_group": "www-data"}).start()
    status = os.stat(p.socket)
    equal(stat.S_IMODE(status.st_mode), 0o640)
    equal(status.st_gid, grp.getgrnam("www-data").gr_gid)


@test
def a_group_that_does_not_exist():
    p = Pool(TEST_PROGRAM, {"pool.socket_group": "no-such-group"})
    assert "no-such-group" in refused(p)
    assert not os.path.exists(p.socket), "nothing is left behind"


# ---- Only where it is safe ----

@test
def no_tcp_but_on_loopback():
    for address in ("0.0.0.0", "192.0.2.1", "[::]", "localhost", "*", ""):
        p = Pool(TEST_PROGRAM, {"pool.listen": f"tcp:{address}:{tap.free_port()}"})
        p.start(wait=False)
        equal(p.process.wait(20), 2)
        assert "pool.listen" in p.output() and "address" in p.output(), p.output()


@test
def no_handed_over_tcp_but_on_loopback():
    p = Pool(TEST_PROGRAM)
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        done = subprocess.run(p.command(), stdin=listener.fileno(), capture_output=True, text=True,
                              timeout=20, check=False)
    equal(done.returncode, 1)
    assert "loopback" in done.stderr, done.stderr


# ---- Two of them ----

@test
def a_second_pool_on_the_socket_is_told_who_is_there():
    p = Pool(TEST_PROGRAM).start()
    q = Pool(TEST_PROGRAM, {"pool.listen": p.nginx_address()})
    said = refused(q)
    assert p.socket in said and "another pool" in said, said
    check_serving(p)


@test
def a_second_pool_on_the_port_is_told():
    p = Pool(TEST_PROGRAM, listen="tcp").start()
    q = Pool(TEST_PROGRAM, {"pool.listen": "tcp:%s" % p.nginx_address()})
    assert str(p.socket[1]) in refused(q)
    check_serving(p)


@test
def somebody_elses_socket_is_left_alone():
    p = Pool(TEST_PROGRAM)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(p.socket)
        other.listen()
        assert "somebody else listens" in refused(p)
        assert os.path.exists(p.socket)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(p.socket)


@test
def a_leftover_socket_is_replaced():
    p = Pool(TEST_PROGRAM)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(p.socket)
    p.start()
    check_serving(p)


@test
def what_is_no_socket_is_left_alone():
    p = Pool(TEST_PROGRAM)
    with open(p.socket, "w") as file:
        file.write("precious")
    assert "not a socket" in refused(p)
    with open(p.socket) as file:
        equal(file.read(), "precious")
    q = Pool(TEST_PROGRAM)
    os.symlink("/dev/null", q.socket)
    assert "not a socket" in refused(q)
    assert os.path.islink(q.socket)


@test
def a_directory_that_does_not_exist():
    p = Pool(TEST_PROGRAM, {"pool.listen": "unix:/nowhere/at/all.sock"})
    said = refused(p)
    assert "its directory /nowhere/at: No such file" in said, said
    assert "lock" not in said, said
    with open(os.path.join(p.dir, "file"), "w"):
        pass
    p = Pool(TEST_PROGRAM, {"pool.listen": f"unix:{p.dir}/file/hearth.sock"})
    assert f"{os.path.dirname(p.config['pool.listen'][5:])} is not a directory" in refused(p)


@test
def a_lock_file_of_another_user_is_named_with_its_owner():
    if os.geteuid() != 0:
        skip("only root can leave a file that is closed to this user")
    p = Pool(TEST_PROGRAM, {"log.file": None})
    lock = p.socket + ".lock"
    with open(lock, "w"):
        pass
    os.chmod(lock, 0o600)
    done = subprocess.run([p.program, "--config", p.config_file], user=65534, group=65534,
                          extra_groups=[], capture_output=True, text=True, timeout=20)
    equal(done.returncode, 1, done.stderr)
    assert f"its lock file {lock}, of user root (0), cannot be opened: Permission denied" \
        in done.stderr, done.stderr


@test
def what_keeps_the_keeper_from_starting_is_said_with_the_systems_reason_once():
    p = Pool(config={"pool.workers": 1})
    p.configure({"state.directory": os.path.join(p.config_file, "state")})
    said = refused(p)
    assert said.count("Not a directory") == 1, said


@test
def after_kill_9_of_the_master_everything_ends_and_a_new_pool_starts_at_once():
    for _ in range(3):
        p = Pool(TEST_PROGRAM).start()
        kept = [p.connect() for _ in range(5)]
        for c in kept:
            equal(c.request("GET", "/hello").status, 200)
        pids = p.all_pids()
        equal(len(pids), 4)
        os.kill(p.master_pid, signal.SIGKILL)
        p.process.wait(5)
        p.start()  # at once: the old workers may still be ending
        check_serving(p)
        eventually(lambda: not any(alive(pid) for pid in pids), 3.0, "the old processes have ended")
        equal(p.stop(), 0)


# ---- Arguments ----

@test
def arguments():
    program = program_path("program_pool")

    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL, check=False)

    equal(run("--version").stdout.split()[0], "hearth-fcgi")
    equal(run("--help").returncode, 0)
    assert "SIGHUP" in run("--help").stdout
    for wrong in (["--nonsense"], ["stray"], ["--config"]):
        done = run(*wrong)
        equal((done.returncode, done.stdout), (2, ""), wrong)
        assert "usage:" in done.stderr, wrong
    p = Pool(TEST_PROGRAM)
    done = run("--check", "--config", p.config_file)
    equal((done.returncode, done.stdout), (0, f"hearth-fcgi: {p.config_file} is in order\n"))
    p.configure({"pool.workers": 900, "pool.thread": 3, "log.level": "loud"})
    for check in (["--check"], []):
        done = run(*check, "--config", p.config_file)
        equal(done.returncode, 2)
        for key in ("pool.workers", "pool.thread", "log.level"):
            assert f"{p.config_file}:" in done.stderr and key in done.stderr, (key, done.stderr)
    equal(run("--config", "/nowhere.conf").returncode, 2)


@test
def in_the_foreground_the_log_is_text_for_people():
    p = Pool(TEST_PROGRAM, arguments=["--foreground"])
    p.start(wait=False)
    eventually(lambda: "pool_ready" in p.output(), 10.0, "it says that it is ready")
    assert not p.output().lstrip().startswith("{"), p.output()
    equal(p.log_text(), "")
    equal(p.stop(), 0)


if __name__ == "__main__":
    main()
