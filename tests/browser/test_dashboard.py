#!/usr/bin/python3
"""test_dashboard.py - the dashboard in a real Chromium, over ten years of readings in a real pool.

The stories are in dashboard.mjs, one process and one fresh browser profile each. Pictures and the times of
each zoom step stay in build/test-screenshots. What the browser is driven with comes from npm, in the versions
of package-lock.json, into build/browser-packages. Skips where Chromium or npm is not there; fails in CI.
"""
import atexit
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import tap  # noqa: E402
from support.sensor import Station  # noqa: E402
from support.tap import BUILD, ROOT, main, test  # noqa: E402

YEARS = 10
READINGS_PER_DAY = 4000 if tap.full() else 400
SHOTS = os.path.join(ROOT, "build", "test-screenshots")
PACKAGES = os.path.join(ROOT, "build", "browser-packages")
SETTINGS = {"sensor.station_name": "Cabin", "sensor.time_zone": "America/Denver"}
_kept = {}


def missing(what):
    if os.environ.get("CI"):
        raise AssertionError(f"{what}, and CI must have it")
    tap.skip(what)


def chromium():
    path = next((p for p in map(shutil.which, ("chromium", "chromium-browser")) if p), None)
    return path or missing("chromium is not installed")


def run_npm(directory):
    os.makedirs(directory, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(ROOT, name), directory)
    return subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=directory, capture_output=True, text=True,
                          timeout=300, check=False)


def packages():
    """The directory with node_modules of exactly these versions."""
    stamp = os.path.join(PACKAGES, "node_modules", ".package-lock.json")
    lock = os.path.join(PACKAGES, "package-lock.json")
    with open(os.path.join(ROOT, "package-lock.json"), encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(stamp) and os.path.exists(lock):
        with open(lock, encoding="utf-8") as file:
            if file.read() == wanted:
                return PACKAGES
    if not shutil.which("npm") or not shutil.which("node"):
        missing("npm is not installed")
    done = run_npm(PACKAGES)
    if done.returncode != 0:
        shutil.rmtree(PACKAGES, ignore_errors=True)
        missing("npm could not fetch playwright-core and axe-core: " + done.stderr.strip()[-300:].replace("\n", " "))
    return PACKAGES


def need_uplot():
    done = subprocess.run([os.path.join(ROOT, "deploy", "fetch-assets")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        missing(done.stderr.strip().replace("\n", " "))


# ---- Stations ----

def directory_with_years():
    """A pool's directory whose store holds years of readings; made once, used by story after story."""
    if "years" not in _kept:
        path = tempfile.mkdtemp(prefix="hearth-test-years-")
        os.chmod(path, 0o755)
        atexit.register(shutil.rmtree, path, True)
        station = Station(SETTINGS, path)
        os.makedirs(station.sensor_directory(), exist_ok=True)
        subprocess.run([os.path.join(BUILD, "hearth"), "--config", station.pool.config_file, "demo", "--years",
                        str(YEARS), "--readings-per-day", str(READINGS_PER_DAY), "--names", "--seal-every", "30",
                        "--quiet"], check=True, capture_output=True, text=True, timeout=1200)
        _kept["years"] = path
    return _kept["years"]


def tell(story, station):
    """Runs a story of dashboard.mjs against a station; what it prints is shown as a comment."""
    env = dict(os.environ, BASE=station.front.url, SHOTS=SHOTS, NODE_PACKAGES=packages(), CHROMIUM=chromium(),
               TOKEN=station.token, STORE_YEARS=str(YEARS))
    process = subprocess.Popen(["node", os.path.join(ROOT, "tests", "browser", "dashboard.mjs"), story], env=env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    tap.cleanup(tap.stop, process)
    said, _ = process.communicate(timeout=180)
    for line in said.splitlines():
        print(f"# {line}")
    assert process.returncode == 0, said[-4000:]


def over_years(story):
    chromium(), packages(), need_uplot()
    tell(story, Station(SETTINGS, directory_with_years()).start())


# ---- Stories ----

@test
def from_ten_years_to_one_hour_and_back_by_wheel_keys_and_picking():
    over_years("zoom")


@test
def dragging_and_keys_move_the_span():
    over_years("drag")


@test
def two_fingers_zoom_what_is_between_them():
    over_years("pinch")


@test
def an_overtaken_request_is_given_up_and_the_old_lines_stay():
    over_years("overtaken")


@test
def the_numbers_shown_are_those_of_the_interface():
    over_years("numbers")


@test
def the_table_of_values_has_the_means():
    over_years("table")


@test
def tiles_switch_lines_and_keep_the_focus():
    over_years("toggles")


@test
def units_change_at_once_and_are_remembered():
    over_years("units")


@test
def themes_change_at_once_and_are_remembered():
    over_years("theme")


@test
def a_link_brings_the_same_view_back():
    over_years("link")


@test
def a_new_reading_shows_without_a_reload():
    over_years("refresh")


@test
def when_home_is_dark_the_page_says_what_it_still_shows():
    over_years("unreachable")


@test
def without_javascript_the_server_has_drawn_it():
    over_years("plain")


@test
def without_the_chart_library_the_page_falls_back_to_the_drawing():
    over_years("without_uplot")


@test
def an_empty_store_says_how_to_send():
    chromium(), packages(), need_uplot()
    tell("empty", Station(SETTINGS).start())


@test
def one_reading_is_a_dot_in_its_hour():
    chromium(), packages(), need_uplot()
    station = Station(SETTINGS).start()
    status, answer = station.put('{"channel":1,"rolling_code":107,"temperature_F":74.4,"humidity":35}')
    assert status == 200, answer
    tell("one", station)


@test
def an_accessibility_checker_finds_nothing():
    over_years("accessible")


@test
def pictures_of_every_width_and_theme_are_kept():
    over_years("pictures")


if __name__ == "__main__":
    main()
