"""benchlib.py - what the benchmarks share: peers behind one nginx worker, paired rounds, medians.

These machines are noisy, so nothing here prints a time alone: every figure stands beside a real peer's,
measured in the same run, alternating, and the ratio is the median of the rounds' ratios.
"""
import os
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("HEARTH_BUILD", os.path.join(ROOT, "build")))
POSTGRES = "/usr/lib/postgresql/15/bin"

_processes = []
_directories = []
_missed = []


def need(*packages):
    """Installs Debian packages that a benchmark's peers need, when they are missing."""
    probe = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
                           capture_output=True, text=True, check=False)
    there = {line.split()[0] for line in probe.stdout.splitlines() if line.endswith(" installed")}
    missing = [p for p in packages if p not in there]
    if missing:
        print(f"installing {' '.join(missing)}", file=sys.stderr)
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
                       check=True, env=environment, stdout=sys.stderr)


def workspace():
    """A directory on a real disk (TMPDIR may be memory, and then a sync costs nothing)."""
    base = os.environ.get("HEARTH_BENCH_DIR", os.path.join(ROOT, "build"))
    os.makedirs(base, exist_ok=True)
    path = tempfile.mkdtemp(prefix="bench-", dir=base)
    os.chmod(path, 0o755)
    _directories.append(path)
    return path


def spawn(command, log, **options):
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   start_new_session=True, **options)
    _processes.append(process)
    return process


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    if process in _processes:
        _processes.remove(process)


def finish():
    for process in reversed(list(_processes)):
        stop(process)
    for path in _directories:
        shutil.rmtree(path, ignore_errors=True)
    _directories.clear()
    if _missed:
        print(f"{len(_missed)} aim{'s' if len(_missed) > 1 else ''} missed")


def exit_status():
    return 1 if _missed else 0


def wait_for_socket(path, seconds=30):
    end = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise SystemExit(f"{path} did not appear")
        time.sleep(0.05)
    time.sleep(0.2)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


FASTCGI = """
        fastcgi_keep_conn on;
        fastcgi_buffer_size 64k; fastcgi_buffers 8 128k; fastcgi_busy_buffers_size 256k;
        fastcgi_max_temp_file_size 0;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param QUERY_STRING $query_string;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param SERVER_PROTOCOL $server_protocol;
        fastcgi_param REMOTE_ADDR $remote_addr;
        fastcgi_param REQUEST_SCHEME $scheme;
        fastcgi_param HTTP_HOST $http_host;
"""


def nginx(directory, port, upstreams, locations):
    """One nginx worker. `upstreams`: name -> (socket, kept connections); `locations`: text."""
    blocks = "".join(
        f"  upstream {name} {{ server unix:{socket}; keepalive {kept};"
        " keepalive_requests 1000000; keepalive_timeout 60s; }\n"
        for name, (socket, kept) in upstreams.items())
    user = "user root;" if os.geteuid() == 0 else ""
    conf = write(os.path.join(directory, "nginx.conf"), f"""
{user} worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx-error.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {directory}/body; fastcgi_temp_path {directory}/fastcgi;
  proxy_temp_path {directory}/proxy; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0;
{blocks}
  server {{ listen 127.0.0.1:{port} backlog=4096;
{locations}
  }}
}}
""")
    process = spawn(["nginx", "-c", conf, "-p", directory], os.path.join(directory, "nginx.log"))
    time.sleep(0.5)
    if process.poll() is not None:
        raise SystemExit(open(os.path.join(directory, "nginx.log"), encoding="utf-8").read())
    return process


def hearth(directory, name, program="hearth-fcgi", workers=2, threads=16, extra=""):
    """A pool of ours; gives back (process, socket, configuration path)."""
    home = os.path.join(directory, name)
    os.makedirs(home, exist_ok=True)
    socket = os.path.join(home, "hearth.sock")
    conf = write(os.path.join(home, "hearth.conf"), f"""
pool: {{ listen = "unix:{socket}"; workers = {workers}; threads = {threads}; }};
state: {{ directory = "{home}/state"; }};
{extra}
""")
    command = program if os.path.isabs(program) else os.path.join(BUILD, program)
    process = spawn([command, "--config", conf], os.path.join(home, "pool.log"))
    wait_for_socket(socket)
    return process, socket, conf


def postgres(directory, *settings):
    """A private PostgreSQL with its defaults and `settings` (name=value); gives back a conninfo."""
    home = os.path.join(directory, "postgres")
    os.makedirs(home)
    prefix = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(home, user.pw_uid, user.pw_gid)
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    owner = "postgres"
    subprocess.run([*prefix, f"{POSTGRES}/initdb", "-D", f"{home}/data", "-U", owner, "-A", "trust"],
                   check=True, stdout=subprocess.DEVNULL, cwd="/")
    more = [word for setting in settings for word in ("-c", setting)]
    spawn([*prefix, f"{POSTGRES}/postgres", "-D", f"{home}/data", "-k", home, "-h", "", "-p", "5432",
           *more], f"{directory}/postgres.log", cwd="/")
    wait_for_socket(f"{home}/.s.PGSQL.5432")
    return f"host={home} user={owner} dbname=postgres"


_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def wrk(url, connections, seconds, script=None):
    """Requests a second, p99 in ms, errors (transport errors and answers other than 2xx and 3xx)."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    if script:
        command += ["-s", script]
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    transport = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    total = (int(errors.group(1)) if errors else 0)
    total += sum(int(g) for g in transport.groups()) if transport else 0
    return rate, float(p99.group(1)) * _UNITS[p99.group(2)], total


def rounds(count, runs):
    """`runs`: name -> function. Calls all in turn, `count` times, the order turning by one each round;
    gives back name -> list of results."""
    names = list(runs)
    results = {name: [] for name in names}
    for number in range(count):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            results[name].append(runs[name]())
        print(f"  round {number + 1} of {count} done", file=sys.stderr)
    return results


def median_ratio(mine, other):
    """The median over the rounds of mine / other."""
    return statistics.median(a / b for a, b in zip(mine, other))


def pss_dirty_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss_Dirty:"):
                return int(line.split()[1])
    raise SystemExit("this kernel has no Pss_Dirty")


def tree(pid):
    """The process and all its descendants."""
    found = [pid]
    for entry in found:
        with open(f"/proc/{entry}/task/{entry}/children", encoding="ascii") as file:
            found += [int(child) for child in file.read().split()]
    return found


def pool_pss_dirty_kb(pid):
    return sum(pss_dirty_kb(member) for member in tree(pid))


def free_port():
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def verdict(name, value, limit, at_least=True):
    """A line with the aim, met or not. A benchmark with an aim missed ends with exit status 1."""
    met = value >= limit if at_least else value <= limit
    if not met:
        _missed.append(name)
    sign = ">=" if at_least else "<="
    print(f"{'met   ' if met else 'MISSED'} {name}: {value:.2f} (aim {sign} {limit})")
    return met
