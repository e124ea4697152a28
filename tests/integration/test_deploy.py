#!/usr/bin/python3
"""test_deploy.py - what an installation is made of: the shipped configurations and quickstart.

Each web server judges the whole site that is shipped for it. quickstart runs as a person would run it, on a
directory and a port of its own.
"""
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import tap  # noqa: E402
from support.fronts import SEARCH_PATH, Front  # noqa: E402
from support.pool import Pool, alive  # noqa: E402

DEPLOY = os.path.join(tap.ROOT, "deploy")
QUICKSTART = os.path.join(DEPLOY, "quickstart")
ENVIRONMENT = dict(os.environ, PATH=SEARCH_PATH)


def run(command, **options):
    """(exit code, all output)."""
    options.setdefault("env", ENVIRONMENT)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=300, **options)
    return done.returncode, done.stdout


def needs(program):
    if not shutil.which(program, path=SEARCH_PATH):
        if os.environ.get("CI"):
            raise AssertionError(f"{program} is not installed, and CI must have it")
        tap.skip(f"{program} is not installed")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def accepted(command, **options):
    code, output = run(command, **options)
    assert code == 0, f"{' '.join(command)}: exit code {code}\n{output}"
    return output


# ---- The shipped sites, each as its server reads it ----

@tap.test
def nginx_accepts_the_site_that_is_shipped():
    needs("nginx")
    home = tap.directory()
    shutil.copytree(os.path.join(DEPLOY, "nginx"), f"{home}/snippets")
    site = open(f"{home}/snippets/site.conf", encoding="utf-8").read()
    site = re.sub(r"listen (\[::\]:)?80;", "listen 127.0.0.1:8081;", site, count=1)
    site = re.sub(r"\n *listen \[::\]:80;", "", site)
    write(f"{home}/site.conf", site)
    conf = write(f"{home}/nginx.conf", f"pid {home}/pid; error_log {home}/log; events {{}}\nhttp {{ "
                 f"access_log off; include snippets/hearth-upstream.conf; include site.conf; }}\n")
    accepted(["nginx", "-t", "-e", f"{home}/log", "-p", home, "-c", conf])


@tap.test
def apache_accepts_the_site_that_is_shipped():
    needs("apache2")
    home = tap.directory()
    os.makedirs(f"{home}/conf-available")
    shutil.copy(os.path.join(DEPLOY, "apache", "hearth.conf"), f"{home}/conf-available/hearth.conf")
    shutil.copy(os.path.join(DEPLOY, "apache", "site.conf"), f"{home}/site.conf")
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
                      for name in ("mpm_event", "authz_core", "deflate", "env", "filter", "headers", "proxy",
                                   "proxy_fcgi", "setenvif"))
    conf = write(f"{home}/apache.conf", f"{modules}ServerRoot {home}\nDefaultRuntimeDir {home}\n"
                 f"ErrorLog {home}/log\nListen 127.0.0.1:8081\nInclude site.conf\n")
    accepted(["apache2", "-t", "-f", conf])


@tap.test
def lighttpd_accepts_what_is_shipped_beside_debians_own_configuration():
    needs("lighttpd")
    home = tap.directory()
    shutil.copy(os.path.join(DEPLOY, "lighttpd", "hearth.conf"), f"{home}/hearth.conf")
    conf = write(f"{home}/lighttpd.conf", "server.modules = ( \"mod_access\", \"mod_redirect\" )\n"
                 f"server.document-root = \"{home}\"\nserver.port = 8081\n"
                 "index-file.names = ( \"index.html\" )\nurl.access-deny = ( \"~\" )\n"
                 f"include \"{home}/hearth.conf\"\n")
    accepted(["lighttpd", "-tt", "-f", conf])


@tap.test
def caddy_accepts_the_site_that_is_shipped():
    needs("caddy")
    home = tap.directory()
    for name in ("Caddyfile", "hearth.caddy"):
        shutil.copy(os.path.join(DEPLOY, "caddy", name), f"{home}/{name}")
    accepted(["caddy", "validate", "--adapter", "caddyfile", "--config", f"{home}/Caddyfile"],
             cwd=home, env=dict(ENVIRONMENT, HOME=home, XDG_CONFIG_HOME=home, XDG_DATA_HOME=home))


@tap.test
def spawn_fcgi_hands_the_pool_its_socket():
    needs("spawn-fcgi")
    pool = Pool("program_pool", {"pool.workers": 1})
    pool.environment.update(HEARTH_SOCKET=pool.socket, HEARTH_PROGRAM=pool.program, HEARTH_USER="")
    os.makedirs(os.path.join(pool.dir, "state"))
    process = tap.spawn([os.path.join(DEPLOY, "spawn-fcgi"), pool.config_file], pool.output_file,
                        env=pool.environment)
    tap.eventually(lambda: pool.log_lines("pool_ready") or process.poll() is not None, 30, "the pool is ready")
    tap.equal(stat.S_IMODE(os.stat(pool.socket).st_mode), 0o660, "mode of the socket")
    tap.equal(pool.request("GET", "/hello").body, b"hello")
    tap.equal(tap.stop(process), 0, "exit code")


# ---- The systemd unit: what it lets the pool do, beside what the pool does ----

UNIT = os.path.join(DEPLOY, "systemd", "hearth.service")
# What a path is written by, where the call's last words do not say that it is only read.
WRITING = ("mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
           "unlink", "unlinkat", "rmdir", "chmod", "fchmodat", "chown", "lchown", "fchownat", "truncate",
           "mknod", "mknodat", "utimensat")


def unit_values(key):
    """The values of a key of the unit, in order."""
    with open(UNIT, encoding="utf-8") as file:
        return [line.partition("=")[2].strip() for line in file if line.startswith(key + "=")]


def system_call_sets():
    """{"@set": names of the set, those of the sets within it included}."""
    sets, current = {}, None
    for line in accepted(["systemd-analyze", "syscall-filter", "--no-pager"]).splitlines():
        word = line.strip()
        if line.startswith("@"):
            current = sets.setdefault(word, set())
        elif current is not None and line.startswith(" ") and not word.startswith("#"):
            current.add(word)

    def expand(name):
        return set().union(*(expand(n) if n.startswith("@") else {n} for n in sets[name]))
    return {name: expand(name) for name in sets}


def allowed_system_calls():
    sets, allowed = system_call_sets(), set()
    for value in unit_values("SystemCallFilter"):
        names = set()
        for word in value.lstrip("~").split():
            names |= sets[word] if word.startswith("@") else {word}
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def released(name):
    """A program without sanitizers, which make system calls of their own."""
    for build in (tap.BUILD, os.path.join(tap.ROOT, "build")):
        cache = os.path.join(build, "CMakeCache.txt")
        if os.path.exists(os.path.join(build, name)) and os.path.exists(cache):
            with open(cache, encoding="utf-8") as file:
                if not re.search(r"(?m)^HEARTH_SANITIZE:\w+=.+$", file.read()):
                    return os.path.join(build, name)
    tap.skip("no build without sanitizers")


class Trace:
    """The system calls of a service's life: `calls` is [(name, arguments and result)]."""

    def __init__(self):
        needs("strace")
        self.directory = tap.directory()
        self.calls = []

    def command(self, command):
        # -D: the program keeps the process id that it was started with, which LISTEN_PID names.
        return [shutil.which("strace", path=SEARCH_PATH), "-D", "-ff", "-y", "-s", "256",
                "-o", os.path.join(self.directory, "t"), *command]

    def read(self):
        """Once every process has ended, which is the last line of each."""
        tap.eventually(lambda: all("\n+++ " in text for text in self._texts()), 20, "the traces are whole")
        for text in self._texts():
            self.calls += re.findall(r"(?m)^([a-z][a-z0-9_]*)\((.*)$", text)
        return self

    def _texts(self):
        for name in os.listdir(self.directory):
            with open(os.path.join(self.directory, name), encoding="utf-8", errors="replace") as file:
                yield file.read()

    def written_paths(self):
        """Of the calls that succeeded."""
        found = set()
        for name, rest in self.calls:
            opened = name in ("open", "openat", "creat") and re.search(r"O_WRONLY|O_RDWR|O_CREAT", rest)
            if (opened or name in WRITING) and not re.search(r"= -1 E\w+ ", rest):
                base = re.match(r"(?:AT_FDCWD|\d+)<([^>]*)>", rest)
                for path in re.findall(r'"([^"]*)"', rest):
                    found.add(os.path.normpath(os.path.join(base[1] if base else "/", path)))
        return found


def traced_life():
    """The pool as the unit starts it: a socket handed over, the log to standard error; then readings, pages,
    a reload, a worker and the keeper killed, and the end."""
    if run(["strace", "-o", "/dev/null", "true"])[0] != 0:
        tap.skip("processes cannot be traced here")
    trace = Trace()
    pool = Pool(released("hearth-fcgi"), {"log.file": None}, listen="systemd")
    pool.log_file = pool.output_file
    token = subprocess.run([released("hearth"), "--config", pool.config_file, "token", "new", "--name", "t",
                            "--scope", "data:write", "--unit", "tenths_f"],
                           capture_output=True, text=True, check=True).stdout.strip()
    plain = pool.command
    pool.command = lambda: trace.command(plain())
    pool.start()
    for number in range(2):
        answer = pool.request("PUT", "/data", [("Authorization", f"Bearer {token}")], READING)
        tap.equal((number, answer.status), (number, 200), answer.raw.decode())
        pages = [pool.request("GET", path).status for path in ("/", "/temp", "/data", "/static/style.css")]
        tap.equal(pages, [200] * 4, "pages")
        if number == 0:
            assert pool.reload({"log.level": "debug"}), pool.log_text()
            tap.eventually(lambda: len(pool.worker_pids()) == 2 and pool.keeper_pid(), 20, "the old ones have ended")
            worker, keeper = pool.worker_pids()[0], pool.keeper_pid()
            os.kill(worker, signal.SIGKILL)
            os.kill(keeper, signal.SIGKILL)
            tap.eventually(lambda: worker not in pool.worker_pids() and len(pool.worker_pids()) == 2 and
                           pool.keeper_pid() not in (None, keeper), 20, "others take their places")
            os.kill(pool.master_pid, signal.SIGUSR1)
    tap.equal(pool.stop(), 0, "exit code")
    return pool, trace.read()


@tap.test
def the_unit_lets_the_pool_do_what_it_does_and_little_else():
    needs("systemd-analyze")
    pool, trace = traced_life()
    names = {name for name, _ in trace.calls}
    assert {"epoll_wait", "futex", "fdatasync"} <= names, sorted(names)
    tap.equal(sorted(names - allowed_system_calls()), [], "system calls that the unit refuses")
    state = os.path.join(pool.dir, "state")
    paths = trace.written_paths()
    assert any(path.startswith(f"{state}/sensor/live/") for path in paths), paths
    # The keeper's socket is named through the descriptor of the store: its path may be too long.
    inside = re.compile(rf"/dev/null$|{re.escape(state)}(/|$)|/proc/self/fd/\d+/keeper\.sock$")
    tap.equal([path for path in sorted(paths) if not inside.match(path)], [],
              "written outside of StateDirectory")
    families = {match for name, rest in trace.calls if name in ("socket", "socketpair")
                for match in re.findall(r"^(AF_\w+)", rest)}
    tap.equal(sorted(families - set(unit_values("RestrictAddressFamilies")[0].split())), [], "families")
    tap.equal([rest for name, rest in trace.calls if "PROT_EXEC" in rest and
               (name == "mprotect" or "PROT_WRITE" in rest)], [], "memory that MemoryDenyWriteExecute refuses")


@tap.test
def the_pool_lives_where_only_its_state_can_be_written_and_without_privileges():
    """What the unit's sandbox is to files and capabilities, as far as it can be had without systemd."""
    needs("unshare")
    needs("setpriv")
    pool = Pool(released("hearth-fcgi"), {"log.file": None}, listen="systemd")
    pool.log_file = pool.output_file
    state = os.path.join(pool.dir, "state")
    os.makedirs(state)
    sandbox = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
               'mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec setpriv --reuid 65534 '
               '--regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"', "sh", state]
    if os.geteuid() != 0 or run([*sandbox, "true"])[0] != 0:
        tap.skip("it takes root, and a system that lets root make a namespace")
    assert run([*sandbox, "touch", f"{pool.dir}/x"])[0] != 0, "the sandbox is none"
    os.chown(state, 65534, 65534)
    os.chmod(pool.config_file, 0o644)
    plain = pool.command
    pool.command = lambda: [shutil.which("unshare", path=SEARCH_PATH), *sandbox[1:], *plain()]
    pool.start()
    tap.equal(os.stat(f"/proc/{pool.keeper_pid()}").st_uid, 65534, "the user")
    tap.equal([pool.request("GET", path).status for path in ("/", "/temp", "/data", "/readyz")], [200] * 4)
    assert pool.reload({"log.level": "debug"}), pool.log_text()
    tap.equal(pool.request("GET", "/readyz").status, 200, "after the reload")
    tap.equal(pool.stop(), 0, "exit code")
    assert os.path.exists(f"{state}/sensor/store.lock") and os.path.isdir(f"{state}/objects"), os.listdir(state)


@tap.test
def the_unit_keeps_its_exposure_low():
    needs("systemd-analyze")
    if "--offline" not in run(["systemd-analyze", "--help"])[1]:
        tap.skip("this systemd-analyze does not judge files")
    # In tenths; a service that says nothing has 96.
    output = accepted(["systemd-analyze", "security", "--offline=true", "--threshold=13", "--no-pager", UNIT])
    assert "Overall exposure level for hearth.service" in output, output


# ---- Packed answers ----

SENSOR = "/api/v1/"
RANGE = SENSOR + "range?points=1000"
TEXTS = (RANGE, "/temp", "/data", SENSOR + "export.csv", SENSOR + "export.ndjson")
# What a front packs, where that is not all of it.
PACKED = {"lighttpd": (RANGE, "/temp")}


class Site:
    """A pool with some weeks of readings behind a front."""

    def __init__(self, web, years="0.03"):
        pool = Pool("hearth-fcgi")
        accepted([os.path.join(tap.BUILD, "hearth"), "--config", pool.config_file, "demo", "--quiet",
                  "--years", years])
        pool.start()
        self.front = Front(web, pool.socket, tap.directory()).start()

    def begin(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.front.port, timeout=60)
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return connection.getresponse()

    def ask(self, path, method="GET", **headers):
        """(the answer's head, its body as it came)."""
        answer = self.begin(path, method, **headers)
        return answer, answer.read()


GZIP = {"Accept_Encoding": "gzip"}


def packs(web):
    """Packed or not, an answer is the same, and so is what its ETag says."""
    site = Site(web)
    for path in TEXTS:
        packed, body = site.ask(path, **GZIP)
        plain, text = site.ask(path)
        tap.equal((packed.status, plain.status, plain.getheader("Content-Encoding")), (200, 200, None), path)
        if path not in PACKED.get(web, TEXTS):
            tap.equal((path, packed.getheader("Content-Encoding"), body), (path, None, text))
            continue
        tap.equal((path, packed.getheader("Content-Encoding")), (path, "gzip"))
        assert "accept-encoding" in packed.getheader("Vary").lower(), (path, packed.headers.items())
        assert gzip.decompress(body) == text and len(body) < len(text) / 2, (path, len(body), len(text))
        assert packed.getheader("ETag") != plain.getheader("ETag"), "one strong ETag for two forms"
        for etag, headers in ((packed.getheader("ETag"), GZIP), (plain.getheader("ETag"), {})):
            same, nothing = site.ask(path, If_None_Match=etag, **headers)
            tap.equal((path, etag, same.status, nothing), (path, etag, 304, b""))
            other, whole = site.ask(path, If_None_Match=etag.replace('"', '"x', 1))
            tap.equal((path, other.status, whole), (path, 200, text))
        head, nothing = site.ask(path, "HEAD", **GZIP)
        tap.equal((path, head.status, nothing), (path, 200, b""))
    return site


def leaves_alone(site):
    """Records, parts of them, and what is packed already."""
    path = SENSOR + "export.bin"
    plain, records = site.ask(path)
    packed, same = site.ask(path, **GZIP)
    tap.equal((packed.getheader("Content-Encoding"), packed.getheader("ETag"), packed.getheader("Content-Length")),
              (None, plain.getheader("ETag"), str(len(records))), path)
    assert same == records, "other records"
    for headers in (GZIP, {"If_Range": plain.getheader("ETag"), **GZIP}, {}):
        part, piece = site.ask(path, Range="bytes=12-4011", **headers)
        tap.equal((part.status, part.getheader("Content-Encoding"), piece), (206, None, records[12:4012]), headers)
    whole, body = site.ask(RANGE, Range="bytes=0-99", If_Range='W/"x"', **GZIP)
    tap.equal(whole.status, 200, "If-Range with a weak ETag")


def flows(site):
    """An export begins to arrive long before it has ended: nobody gathers it."""
    shares = []
    for _ in range(5):
        began = time.monotonic()
        answer = site.begin(SENSOR + "export.ndjson", **GZIP)
        assert answer.read(1024), answer.status
        first = time.monotonic() - began
        while answer.read(1 << 16):
            pass
        shares.append(first / (time.monotonic() - began))
    assert min(shares) < 0.5, f"the first bytes came after these shares of the time: {shares}"


def is_packed_behind(web):
    site = packs(web)
    leaves_alone(site)
    flows(site)


@tap.test
def nginx_packs_text_and_nothing_else():
    is_packed_behind("nginx")


@tap.test
def apache_packs_text_and_nothing_else():
    is_packed_behind("apache")


@tap.test
def caddy_packs_text_and_nothing_else():
    is_packed_behind("caddy")


@tap.test
def lighttpd_packs_what_it_has_whole():
    if not os.path.exists("/usr/lib/lighttpd/mod_deflate.so"):
        if os.environ.get("CI"):
            raise AssertionError("lighttpd-mod-deflate is not installed, and CI must have it")
        tap.skip("lighttpd-mod-deflate is not installed")
    is_packed_behind("lighttpd")


# ---- quickstart ----

class Quickstart:
    def __init__(self):
        self.directory = os.path.join(tap.directory(), "quick")
        self.port = tap.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        tap.cleanup(self.run, "--stop")

    def run(self, *arguments):
        return run([QUICKSTART, "--dir", self.directory, "--port", str(self.port), *arguments])

    def detach(self, *arguments):
        code, output = self.run("--detach", *arguments)
        assert code == 0, f"exit code {code}\n{output}"
        return output

    def credentials(self):
        with open(f"{self.directory}/credentials.json", encoding="utf-8") as file:
            return json.load(file)

    def pid(self, name):
        with open(f"{self.directory}/{name}.pid", encoding="utf-8") as file:
            return int(file.read())

    def ask(self, path, method="GET", body=None, token=None):
        """(status, body)."""
        request = urllib.request.Request(self.url + path, body, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def rows(self):
        status, body = self.ask("/data")
        tap.equal(status, 200, "/data")
        return json.loads(body)


READING = b'{"time":"2026-01-02T03:04:05Z","channel":4,"rolling_code":9,"temperature":555,"humidity":40}'


def works_behind(web):
    needs({"apache": "apache2"}.get(web, web))
    quick = Quickstart()
    quick.detach("--no-demo", "--web", web)
    tap.equal(quick.ask("/healthz")[0], 200, "/healthz")
    tap.equal(quick.rows(), [], "no readings of its own")
    status, body = quick.ask("/data", "PUT", READING, quick.credentials()["ingest_token"])
    tap.equal((status, json.loads(body)["accepted"]), (200, 1), "a reading")
    tap.equal(len(quick.rows()), 1, "rows")
    tap.equal(quick.run("--stop")[0], 0, "--stop")


@tap.test
def quickstart_shows_a_year_of_readings_and_takes_new_ones():
    needs("nginx")
    quick = Quickstart()
    output = quick.detach()
    credentials = quick.credentials()
    tap.equal(stat.S_IMODE(os.stat(f"{quick.directory}/credentials.json").st_mode), 0o600, "mode")
    tap.equal(credentials["url"], quick.url)
    assert credentials["ingest_token"] in output and f"{quick.url}/temp" in output, output
    before = quick.rows()
    assert len(before) >= 20000, f"{len(before)} rows of the newest week"
    latest = json.loads(quick.ask("/api/v1/latest")[1])["series"]
    tap.equal(len(latest), 8, "thermometers")
    assert sum(series["count"] for series in latest) > 1000000, latest
    tap.equal(quick.ask("/temp")[0], 200, "/temp")
    tap.equal(quick.ask("/data", "PUT", READING, "wrong")[0], 401, "a wrong token")
    # The line that it prints works as it stands.
    line = output[output.index("curl -X PUT"):output.index("\n", output.index("-d '{"))]
    code, answer = run(["sh", "-c", line.replace("curl ", "curl -sS -f ", 1)])
    assert code == 0 and '"accepted":1' in answer.replace(" ", ""), f"{line}\n{answer}"
    latest = json.loads(quick.ask("/api/v1/latest")[1])["series"]
    tap.equal([s["temperature"] for s in latest if s["id"] == "1-35"], [74.4], "what was sent")
    quick.detach()
    again = json.loads(quick.ask("/api/v1/latest")[1])["series"]
    tap.equal([s["count"] for s in again], [s["count"] for s in latest], "made up once")


@tap.test
def quickstart_again_on_the_same_directory_restarts_and_keeps_everything():
    needs("nginx")
    quick = Quickstart()
    quick.detach("--no-demo")
    first, pids = quick.credentials(), (quick.pid("hearth"), quick.pid("web"))
    quick.ask("/data", "PUT", READING, first["ingest_token"])
    quick.detach("--no-demo")
    assert not any(alive(pid) for pid in pids), "the old ones still run"
    tap.equal(quick.credentials(), first, "credentials")
    tap.equal(len(quick.rows()), 1, "rows")
    status, body = quick.ask("/data", "PUT", READING, first["ingest_token"])
    tap.equal((status, json.loads(body)["duplicate"]), (200, 1), "the same reading")


@tap.test
def quickstart_stop_ends_what_it_started_and_nothing_else():
    needs("nginx")
    quick = Quickstart()
    quick.detach("--no-demo")
    pids = quick.pid("hearth"), quick.pid("web")
    tap.equal(quick.run("--stop")[0], 0, "--stop")
    assert not any(alive(pid) for pid in pids), "still running"
    bystander = tap.spawn(["sleep", "60"])
    write(f"{quick.directory}/hearth.pid", f"{bystander.pid}\n")
    tap.equal(quick.run("--stop")[0], 0, "--stop")
    tap.equal(bystander.poll(), None, "a process of the same number that is not ours")
    tap.equal(quick.run("--stop")[0], 0, "--stop with nothing running")
    left = {"port", "owner", "hearth.sock", "hearth.sock.lock", "hearth.pid", "web.pid"}
    tap.equal(left & set(os.listdir(quick.directory)), set(), "left behind")


@tap.test
def quickstart_stop_makes_and_takes_away_nothing_where_it_never_ran():
    place = tap.directory()
    for directory in (f"{place}/typo/deeper", place):
        write(f"{place}/port", "mine")
        code, output = run([QUICKSTART, "--stop", "--dir", directory])
        tap.equal(code, 0, output)
        assert output.startswith("quickstart: nothing to stop:") and directory in output, output
        tap.equal(os.listdir(place), ["port"])


@tap.test
def quickstart_says_which_directory_it_cannot_make():
    place = tap.directory()
    write(f"{place}/file", "")
    code, output = run([QUICKSTART, "--detach", "--dir", f"{place}/file/deeper"])
    tap.equal((code, output), (1, f"quickstart: the directory {place}/file/deeper cannot be made "
                                  "(Not a directory), please choose another with --dir\n"))


@tap.test
def quickstart_names_a_port_that_is_in_use():
    quick = Quickstart()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", quick.port))
        taken.listen()
        code, output = quick.run("--detach", "--no-demo")
    assert code == 1 and f"port {quick.port}" in output and "in use" in output, output


@tap.test
def quickstart_refuses_what_it_does_not_know():
    for arguments in (["--nonsense"], ["--port", "99999"], ["--port"], ["--web", "iis"]):
        code, output = run([QUICKSTART, "--dir", tap.directory(), *arguments])
        assert code == 1 and output.startswith("quickstart: "), (arguments, code, output)


@tap.test
def quickstart_in_the_foreground_ends_with_the_signal():
    needs("nginx")
    quick = Quickstart()
    log = f"{tap.directory()}/log"
    process = tap.spawn([QUICKSTART, "--dir", quick.directory, "--port", str(quick.port), "--no-demo"], log,
                        env=ENVIRONMENT)
    tap.eventually(lambda: "Ctrl-C" in open(log, encoding="utf-8").read() or process.poll() is not None, 200,
                   "quickstart runs")
    pids = quick.pid("hearth"), quick.pid("web")
    tap.equal(quick.ask("/healthz")[0], 200, "/healthz")
    os.killpg(process.pid, signal.SIGINT)
    tap.equal(process.wait(60), 0, "exit code")
    assert not any(alive(pid) for pid in pids), "still running"


@tap.test
def quickstart_works_behind_apache():
    works_behind("apache")


@tap.test
def quickstart_works_behind_lighttpd():
    works_behind("lighttpd")


@tap.test
def quickstart_works_behind_caddy():
    works_behind("caddy")


if __name__ == "__main__":
    tap.main()
