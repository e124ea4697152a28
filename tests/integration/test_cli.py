#!/usr/bin/python3
"""The command line, as a person and a script use it."""
import base64
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.pool import Pool  # noqa: E402
from support.tap import BUILD, ROOT, directory, equal, eventually, main, skip, test  # noqa: E402

HEARTH = os.path.join(BUILD, "hearth")
SCOPES = ["data:read", "data:write", "posts:write", "media:write", "ops:read", "ops:write"]


def hearth(*arguments, env=None, **options):
    """Runs a command. HEARTH_CONFIG of the surroundings does not leak in."""
    environment = {k: v for k, v in os.environ.items() if k != "HEARTH_CONFIG"}
    environment.update(env or {})
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([HEARTH, *arguments], stderr=subprocess.PIPE, text=True, timeout=60,
                          env=environment, stdin=subprocess.DEVNULL, **options)


def write(path, text, mode=0o600):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def configuration(text=""):
    """A configuration in a directory of its own, with its state there."""
    place = directory()
    path = write(os.path.join(place, "hearth.conf"),
                 f'state: {{ directory = "{place}/state"; }};\n{text}', 0o644)
    return place, path


def good(result):
    assert result.returncode == 0, f"exit {result.returncode}: {result.stderr}"
    return result.stdout


def bad(result, code, words):
    equal(result.returncode, code, "exit code")
    assert words in result.stderr, f"{words!r} is not in {result.stderr!r}"
    equal(result.stdout, "", "standard output")


# ---- check ----

@test
def check_says_that_a_good_file_is_good():
    _, path = configuration("pool: { workers = 3; };\n")
    result = hearth("check", path)
    equal(good(result), f"{path}: good\n")
    equal(result.stderr, "")


@test
def check_names_every_problem_with_file_line_and_key():
    place, path = configuration('pool: { workers = 900;\n thread = 2; };\n'
                                '@include "more.conf"\n'
                                'ops: { metrics_token = { env = "HEARTH_NO_SUCH"; }; };\n'
                                'sensor: { time_zone = 5; public = "yes"; };\n')
    write(os.path.join(place, "more.conf"), 'log: {\n  level = "verbose";\n};\n')
    result = hearth("check", path)
    equal(result.returncode, 2)
    equal(result.stdout, "")
    equal(result.stderr.splitlines(), [
        f"{path}:2: pool.workers: must be 1 to 64, is 900",
        f"{path}:3: pool.thread: unknown key; did you mean pool.threads?",
        f'{place}/more.conf:2: log.level: must be debug, info, warn, error or off, is "verbose"',
        f"{path}:5: ops.metrics_token: the environment variable HEARTH_NO_SUCH is not set",
        f"{path}:6: sensor.time_zone: must be a string in quotes, is an integer",
        f"{path}:6: sensor.public: must be true or false, is a string",
    ])


@test
def check_gives_the_same_as_json():
    _, path = configuration('pool: { workers = 900; };\nlog: { file = "x\\"y"; };\n')
    result = hearth("check", path, "--json")
    equal(result.returncode, 2)
    found = json.loads(result.stdout)
    equal(found["ok"], False)
    equal(found["path"], path)
    equal([(p["where"], p["key"]) for p in found["problems"]],
          [(f"{path}:2", "pool.workers"), (f"{path}:3", "log.file")])
    equal(found["problems"][0]["what"], "must be 1 to 64, is 900")
    assert found["problems"][1]["what"].startswith('"x"y" must be a path')
    _, path = configuration()
    equal(json.loads(good(hearth("check", "--json", path))),
          {"ok": True, "path": path, "problems": []})


@test
def check_warns_of_a_state_that_whoever_runs_it_cannot_write():
    if os.geteuid() != 0:
        skip("only root can be another user")
    place, path = configuration()
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    for _ in range(2):  # it could not make it; it cannot write into it
        done = hearth("check", path, **nobody)
        equal((done.returncode, done.stdout), (0, f"{path}: good\n"))
        found = f"{place}/state" if os.path.exists(f"{place}/state") else place
        equal(done.stderr, "hearth: warning: state.directory: user 65534 cannot write to "
                           f"{found}: Permission denied\n")
        equal(hearth("check", path).stderr, "")
        os.makedirs(f"{place}/state", exist_ok=True)
    os.chown(f"{place}/state", 65534, 65534)
    equal(hearth("check", path, **nobody).stderr, "")


@test
def check_refuses_files_that_cannot_be_read():
    place, path = configuration()
    bad(hearth("check", place + "/absent"), 2, f"{place}/absent: cannot be opened: No such file")
    bad(hearth("check", place), 2, f"{place}: is a directory")
    write(path, "#" * (1 << 20) + "\n")
    bad(hearth("check", path), 2, f"{path}: is larger than 1048576 bytes")
    if not os.path.exists("/etc/hearth/hearth.conf"):
        bad(hearth("check"), 2, "/etc/hearth/hearth.conf: cannot be opened")


@test
def check_finds_the_file_by_argument_option_or_environment():
    _, first = configuration("pool: { workers = 3; };\n")
    _, second = configuration("pool: { workers = 4; };\n")
    equal(good(hearth("check", env={"HEARTH_CONFIG": first})), f"{first}: good\n")
    equal(good(hearth("--config", second, "check", env={"HEARTH_CONFIG": first})),
          f"{second}: good\n")
    equal(good(hearth("check", "--config=" + second, env={"HEARTH_CONFIG": first})),
          f"{second}: good\n")
    equal(good(hearth("check", second, env={"HEARTH_CONFIG": first})), f"{second}: good\n")
    bad(hearth("--config", first, "check", second), 2, "given twice")


@test
def check_of_keys_that_span_rows_is_the_modules_business_and_runs_too():
    _, path = configuration('http: { max_body_bytes = 1024; };\n'
                            'sensor: { max_body_bytes = 1048576; };\n')
    result = hearth("check", path)
    equal(result.returncode, 2)
    assert "sensor.max_body_bytes" in result.stderr, result.stderr


@test
def check_names_paths_that_are_something_else_than_is_needed():
    place, path = configuration()
    write(os.path.join(place, "file"), "")
    write(path, 'log: {\n  file = "/";\n};\n'
                f'pool: {{\n  pid_file = "{place}";\n}};\n'
                f'objects: {{ directory = "{place}/file"; }};\n'
                'sensor: { directory = "relative"; };\n', 0o644)
    result = hearth("check", path)
    equal(result.returncode, 2)
    equal(result.stderr.splitlines(), [
        f'{path}:2: log.file: "/" is a directory',
        f'{path}:5: pool.pid_file: "{place}" is a directory',
        f'{path}:7: objects.directory: "{place}/file" is not a directory',
        f'{path}:8: sensor.directory: "relative" must be a path from the root, like /var/lib/hearth',
    ])


@test
def check_names_one_directory_for_objects_and_readings():
    place, path = configuration()
    os.mkdir(f"{place}/one")
    os.symlink("one", f"{place}/two")
    for objects, readings, where in (
            (f"{place}/same", f"{place}//same/./", "3: sensor"), (f"{place}/one", f"{place}/two", "3: sensor"),
            ("", f"{place}/state/objects", "3: sensor"), (f"{place}/state/sensor", "", "2: objects")):
        write(path, f'state: {{ directory = "{place}/state"; }};\n'
                    f'objects: {{ directory = "{objects}"; }};\nsensor: {{ directory = "{readings}"; }};\n',
              0o644)
        result = hearth("check", path)
        equal((result.returncode, result.stdout), (2, ""), f"{objects} {readings}")
        words = f"{path}:{where}.directory: objects and readings would share one directory, {place}/"
        assert result.stderr.startswith(words), result.stderr
    write(path, f'objects: {{ directory = "{place}/one"; }};\nsensor: {{ directory = "{place}/ones"; }};\n',
          0o644)
    good(hearth("check", path))


@test
def effective_shows_all_keys_and_is_a_configuration_with_the_same_values():
    place, path = configuration('pool: { workers = 3; listen = "tcp:127.0.0.1:9001"; };\n'
                                'http: { trusted_proxies = ("unix", "10.0.0.0/8"); };\n'
                                'ops: { metrics_token = { env = "HEARTH_TEST_TOKEN"; }; };\n')
    env = {"HEARTH_TEST_TOKEN": "open-sesame"}
    shown = good(hearth("check", "--effective", path, env=env))
    assert f"    workers = 3;  # {path}:2\n" in shown, shown
    assert "    threads = 16;  # default\n" in shown, shown
    assert 'metrics_token = { env = "HEARTH_TEST_TOKEN"; };' in shown, shown
    assert "open-sesame" not in shown
    again = write(os.path.join(place, "again.conf"), shown)
    values = [re.sub(r"  # .*", "", line) for line in shown.splitlines()[1:]]
    shown_again = good(hearth("check", "--effective", again, env=env))
    equal([re.sub(r"  # .*", "", line) for line in shown_again.splitlines()[1:]], values)


@test
def effective_masks_a_secret_that_stands_in_the_file():
    _, path = configuration('ops: { metrics_token = "open-sesame"; };\n')
    shown = good(hearth("check", "--effective", path))
    assert '    # metrics_token = "********";' in shown, shown
    assert "open-sesame" not in shown


@test
def effective_of_a_bad_file_shows_its_problems_instead():
    _, path = configuration("pool: { workers = 900; };\n")
    bad(hearth("check", "--effective", path), 2, "must be 1 to 64")


@test
def the_sample_is_the_shipped_file_and_good():
    with open(os.path.join(ROOT, "etc", "hearth.conf")) as file:
        shipped = file.read()
    equal(good(hearth("check", "--sample")), shipped)
    good(hearth("check", os.path.join(ROOT, "etc", "hearth.conf")))


# ---- Options, help ----

@test
def mistakes_in_the_arguments_end_with_2_and_say_where_help_is():
    for arguments, words in [
        ([], "which command?"),
        (["frobnicate"], "there is no command frobnicate"),
        (["--frob"], "unknown option --frob"),
        (["-x"], "unknown option -x"),
        (["-xconfig", "y"], "unknown option -xconfig"),
        (["--config"], "--config needs a value"),
        (["--config", "a", "--config", "b", "check"], "--config is given twice"),
        (["check", "a", "b"], "too many arguments"),
        (["check", "--frob"], "unknown option --frob"),
        (["check", "--json=yes"], "--json takes no value"),
        (["check", "--json", "--effective"], "exclude each other"),
        (["check", "--sample", "x"], "too many arguments"),
        (["token"], "new, list or revoke?"),
        (["token", "frob"], "there is no token frob"),
        (["token", "new", "--name", "x"], "needs --name and --scope"),
        (["token", "new", "--name"], "--name needs a value"),
        (["token", "new", "--name=x", "--name=y"], "--name is given twice"),
        (["token", "new", "x"], "not x"),
        (["token", "new", "--name", "x", "--scope", "data:wipe"], "--scope data:wipe"),
        (["token", "new", "--name", "x", "--scope", "data:read", "--unit", "k"], "--unit k"),
        (["token", "list", "x"], "takes no arguments"),
        (["token", "revoke"], "the id or the name"),
        (["token", "revoke", "a", "b"], "the id or the name"),
        (["help", "frob"], "there is no command frob"),
        (["version", "x"], "takes no arguments"),
    ]:
        result = hearth(*arguments)
        bad(result, 2, words)
        assert "See: hearth help" in result.stderr, result.stderr


@test
def help_lists_every_command_and_explains_each():
    overview = good(hearth("help"))
    equal(good(hearth("--help")), overview)
    commands = re.findall(r"^  (\w+) {2,}\S", overview, re.M)
    equal(commands, ["check", "token", "import", "export", "series", "stat", "seal", "verify",
                     "summary", "demo", "help", "version"])
    for command in commands:
        text = good(hearth("help", command))
        assert f"  hearth {command}" in text, text
        equal(good(hearth(command, "--help")), text)
        equal(good(hearth(command, "-h")), text)


@test
def version_is_that_of_the_project():
    with open(os.path.join(ROOT, "CMakeLists.txt")) as file:
        version = re.search(r"project\(hearth VERSION (\S+)", file.read()).group(1)
    equal(good(hearth("version")), f"hearth {version}\n")
    equal(good(hearth("--version")), f"hearth {version}\n")


@test
def output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        result = hearth("check", "--sample", stdout=full)
    equal(result.returncode, 1)
    assert "No space left" in result.stderr, result.stderr


@test
def the_manuals_are_clean_and_know_every_command_and_option():
    if not shutil.which("mandoc"):
        if os.environ.get("CI"):
            raise AssertionError("mandoc is missing, and CI must have it")
        skip("no mandoc on this machine")
    for page in ["hearth.1", "hearth.conf.5"]:
        path = os.path.join(ROOT, "docs", page)
        lint = subprocess.run(["mandoc", "-T", "lint", path], capture_output=True, text=True)
        # The pages of this project refer to each other before they are installed.
        left = [line for line in lint.stdout.splitlines() if "not found: Xr hearth" not in line]
        equal(left, [], page)
    with open(os.path.join(ROOT, "docs", "hearth.1")) as file:
        manual = file.read()
    for command in re.findall(r"^  (\w+) {2,}\S", good(hearth("help")), re.M):
        assert f".Ss {command}\n" in manual, command
        for option in re.findall(r"--([a-z-]+)", good(hearth("help", command))):
            assert f"Fl Fl {option}" in manual, f"{command} --{option}"


# ---- token ----

def new_token(path, *arguments):
    return json.loads(good(hearth("--config", path, "token", "new", "--json", *arguments)))


def tokens(path):
    return json.loads(good(hearth("--config", path, "token", "list", "--json")))["tokens"]


@test
def a_new_token_is_printed_alone_and_once_and_only_its_hash_is_kept():
    place, path = configuration()
    result = hearth("--config", path, "token", "new", "--name", "garden station",
                    "--scope", "data:write,data:read")
    token = good(result).strip()
    assert re.fullmatch(r"hearth_[A-Za-z0-9_-]{43}", token), token
    assert "shown only now" in result.stderr and token not in result.stderr, result.stderr
    state = os.path.join(place, "state", "objects", "state", "auth.json")
    with open(state) as file:
        text = file.read()
    assert token not in text
    kept = json.loads(text)["tokens"][0]
    equal(kept["sha256"], hashlib.sha256(token.encode()).hexdigest())
    equal(kept["name"], "garden station")
    equal(sorted(kept["scopes"]), ["data:read", "data:write"])
    equal((kept["unit"], kept["time_zone"], kept["revoked"]), ("tenths_f", "UTC", None))
    for made in [state, os.path.dirname(state), os.path.join(place, "state")]:
        equal(os.stat(made).st_mode & 0o077, 0, made)


@test
def a_new_token_can_be_had_as_json_with_all_its_options():
    _, path = configuration()
    made = new_token(path, "--name", "Bärbel \"B\"", "--scope", ",".join(SCOPES), "--unit", "c",
                     "--time-zone", "America/Denver")
    equal(made["name"], 'Bärbel "B"')
    equal(sorted(made["scopes"]), sorted(SCOPES))
    equal((made["unit"], made["time_zone"]), ("c", "America/Denver"))
    listed = tokens(path)
    equal(len(listed), 1)
    created = listed[0].pop("created")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created), created
    equal(listed[0].pop("revoked"), None)
    made.pop("token")
    equal(listed[0], made)


@test
def what_the_state_refuses_is_a_mistake_too():
    _, path = configuration()
    for arguments, words in [
        (["--name", "", "--scope", "data:read"], "a name has 1 to 64 bytes"),
        (["--name", "a\tb", "--scope", "data:read"], "a name has 1 to 64 bytes"),
        (["--name", "0123456789abcdef", "--scope", "data:read"], "look like an id"),
        (["--name", "x", "--scope", "data:read", "--time-zone", "Mars/Olympus"],
         '"Mars/Olympus" is not a time zone'),
    ]:
        bad(hearth("--config", path, "token", "new", *arguments), 2, words)
    equal(tokens(path), [])


@test
def tokens_are_listed_as_a_table():
    _, path = configuration()
    first = new_token(path, "--name", "Bärbel", "--scope", "data:write")
    second = new_token(path, "--name", "pump", "--scope", "ops:read,data:read",
                       "--time-zone", "Europe/Berlin")
    good(hearth("--config", path, "token", "revoke", "pump"))
    lines = good(hearth("--config", path, "token", "list")).splitlines()
    equal(re.split(r" {2,}", lines[0]),
          ["ID", "NAME", "SCOPES", "UNIT", "ZONE", "CREATED", "REVOKED"])
    rows = [re.split(r" {2,}", line) for line in lines[1:]]
    equal(rows[0][:5], [first["id"], "Bärbel", "data:write", "tenths_f", "UTC"])
    equal(rows[0][6], "-")
    equal(rows[1][:5], [second["id"], "pump", "data:read,ops:read", "tenths_f", "Europe/Berlin"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[1][6]), rows[1]
    starts = [line.index(word) for line, word in zip(lines, ["CREATED", "20", "20"])]
    equal(len(set(starts)), 1, "the columns stand below each other")


@test
def a_token_is_revoked_by_name_or_id_and_only_when_it_is_clear_which():
    _, path = configuration()
    first = new_token(path, "--name", "twin", "--scope", "data:write")
    new_token(path, "--name", "twin", "--scope", "data:write")
    bad(hearth("--config", path, "token", "revoke", "twin"), 1, "2 valid tokens")
    good(hearth("--config", path, "token", "revoke", first["id"]))
    good(hearth("--config", path, "token", "revoke", "twin"))
    revoked = [token["revoked"] for token in tokens(path)]
    assert all(revoked), revoked
    good(hearth("--config", path, "token", "revoke", first["id"]))
    equal([token["revoked"] for token in tokens(path)], revoked)
    bad(hearth("--config", path, "token", "revoke", "nobody"), 1, 'id or name "nobody"')


@test
def reading_makes_nothing():
    place, path = configuration()
    equal(tokens(path), [])
    bad(hearth("--config", path, "token", "revoke", "x"), 1, "no tokens yet")
    equal(os.listdir(place), ["hearth.conf"])


@test
def a_damaged_state_is_told_and_left_alone():
    place, path = configuration()
    new_token(path, "--name", "a", "--scope", "data:write")
    state = os.path.join(place, "state", "objects", "state", "auth.json")
    write(state, '{"version": 1, "tokens": [')
    for arguments in [["list"], ["revoke", "a"], ["new", "--name", "b", "--scope", "data:read"]]:
        bad(hearth("--config", path, "token", *arguments), 1, "state/auth.json is empty or cut off")
    with open(state) as file:
        equal(file.read(), '{"version": 1, "tokens": [')


@test
def a_bad_configuration_stops_a_command_before_it_does_anything():
    place, path = configuration("pool: { workers = 900; };\n")
    bad(hearth("--config", path, "token", "new", "--name", "a", "--scope", "data:write"), 2,
        "pool.workers: must be 1 to 64")
    equal(os.listdir(place), ["hearth.conf"])


@test
def many_commands_at_once_lose_no_token():
    _, path = configuration()
    count = 24
    running = [subprocess.Popen([HEARTH, "--config", path, "token", "new", "--name", f"token {i}",
                                 "--scope", "data:write"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True) for i in range(count)]
    made = []
    for process in running:
        out, err = process.communicate(timeout=120)
        equal(process.returncode, 0, err)
        made.append(hashlib.sha256(out.strip().encode()).hexdigest())
    place = os.path.dirname(path)
    with open(os.path.join(place, "state", "objects", "state", "auth.json")) as file:
        kept = [token["sha256"] for token in json.load(file)["tokens"]]
    equal(sorted(kept), sorted(made))
    equal(len(set(kept)), count)


# ---- A pool that runs meanwhile ----

def ask(pool, authorization):
    """The status of a request that needs data:read."""
    headers = [("Authorization", authorization)] if authorization else []
    return pool.request("GET", "/data", headers).status


@test
def a_running_pool_knows_new_tokens_and_forgets_revoked_ones():
    pool = Pool("hearth-fcgi", {"sensor.public": False, "auth.reload_interval_ms": 100}).start()
    equal(ask(pool, None), 401)
    reader = new_token(pool.config_file, "--name", "reader", "--scope", "data:read")["token"]
    writer = new_token(pool.config_file, "--name", "writer", "--scope", "data:write")["token"]
    # Each of the workers looks for itself.
    eventually(lambda: [ask(pool, f"Bearer {reader}") for _ in range(20)] == [200] * 20, 10,
               "the token is known")
    basic = base64.b64encode(f"anybody:{reader}".encode()).decode()
    for form in [reader, f"Token {reader}", f"bearer {reader}", f"Basic {basic}"]:
        equal(ask(pool, form), 200, form.split()[0])
    for form in ["Bearer x", f"Digest {reader}", f"Basic {reader}", reader[:-1], "Token (null)"]:
        equal(ask(pool, form), 401, form)
    equal(ask(pool, f"Bearer {writer}"), 403)
    twice = [("Authorization", f"Bearer {reader}"), ("Authorization", f"Bearer {reader}")]
    equal(pool.request("GET", "/data", twice).status, 401, "two headers")
    good(hearth("--config", pool.config_file, "token", "revoke", "reader"))
    eventually(lambda: [ask(pool, f"Bearer {reader}") for _ in range(20)] == [401] * 20, 10,
               "the token is forgotten")
    for token in [reader, writer]:
        assert token not in pool.log_text()
    equal(pool.stop(), 0)


@test
def a_running_pool_keeps_its_tokens_while_the_state_is_damaged():
    pool = Pool("hearth-fcgi", {"sensor.public": False, "auth.reload_interval_ms": 50,
                                "pool.workers": 1}).start()
    reader = new_token(pool.config_file, "--name", "reader", "--scope", "data:read")["token"]
    eventually(lambda: ask(pool, reader) == 200, 10, "the token is known")
    state = os.path.join(pool.dir, "state", "objects", "state", "auth.json")
    with open(state) as file:
        whole = file.read()
    write(state, whole[:-20])

    def told():
        equal(ask(pool, reader), 200)
        return pool.log_lines("auth_state_not_read")

    eventually(told, 10, "the damage is in the log")
    for _ in range(20):
        told()
        time.sleep(0.02)
    equal([line["reason"] for line in told()], ["CORRUPT"], "it is told once")
    write(state, whole)
    equal(ask(pool, reader), 200)
    equal(pool.stop(), 0)


# ---- Root works as the owner ----

def somebody():
    """A user that is not root, or skips."""
    if os.geteuid() != 0:
        skip("only root can give files away")
    return pwd.getpwnam("nobody")


def everything_below(place):
    for parent, directories, files in os.walk(place):
        for name in directories + files:
            yield os.path.join(parent, name)


@test
def run_as_root_what_is_made_belongs_to_the_owner_of_the_store():
    user = somebody()
    place, path = configuration()
    state = os.path.join(place, "state")
    os.mkdir(state, 0o700)
    os.chown(state, user.pw_uid, user.pw_gid)
    result = hearth("--config", path, "token", "new", "--name", "a", "--scope", "data:write")
    good(result)
    assert "belongs to root" not in result.stderr, result.stderr
    made = list(everything_below(state))
    assert any(name.endswith("auth.json") for name in made), made
    for name in made:
        status = os.stat(name)
        equal((status.st_uid, status.st_gid), (user.pw_uid, user.pw_gid), name)
    equal(len(tokens(path)), 1)


@test
def run_as_root_without_an_owner_the_store_belongs_to_root_and_it_says_so():
    somebody()
    place, path = configuration()
    result = hearth("--config", path, "token", "new", "--name", "a", "--scope", "data:write")
    good(result)
    assert f"{place}/state/objects is made now and belongs to root" in result.stderr, result.stderr
    again = hearth("--config", path, "token", "new", "--name", "b", "--scope", "data:write")
    assert "belongs to root" not in again.stderr, again.stderr


@test
def a_link_that_the_owner_put_in_the_way_leads_root_nowhere():
    user = somebody()
    place, path = configuration()
    state, treasure = os.path.join(place, "state"), os.path.join(place, "treasure")
    os.mkdir(treasure, 0o700)
    os.mkdir(state, 0o700)
    os.symlink(treasure, os.path.join(state, "objects"))
    os.chown(state, user.pw_uid, user.pw_gid)
    os.chown(os.path.join(state, "objects"), user.pw_uid, user.pw_gid, follow_symlinks=False)
    result = hearth("--config", path, "token", "new", "--name", "a", "--scope", "data:write")
    equal(result.returncode, 1, result.stderr)
    equal(os.listdir(treasure), [])


if __name__ == "__main__":
    main()
