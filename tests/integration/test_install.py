#!/usr/bin/python3
"""test_install.py - what `cmake --install` puts where: every path that the programs, the units and the
manuals name must be there, and an edited configuration must survive an upgrade."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.tap import BUILD, ROOT, directory, equal, main, skip, test  # noqa: E402


def install():
    if not os.path.exists(os.path.join(BUILD, "cmake_install.cmake")):
        skip(f"{BUILD} is no build directory")
    image = directory()
    run_install(image)
    return image


def run_install(image):
    done = subprocess.run(["cmake", "--install", BUILD], env=dict(os.environ, DESTDIR=image),
                          capture_output=True, text=True, check=False)
    equal(done.returncode, 0, done.stderr)


@test
def an_installation_has_all_that_its_parts_name():
    image = install()
    for path in ("/usr/sbin/hearth-fcgi", "/usr/bin/hearth", "/etc/hearth/hearth.conf",
                 "/usr/share/hearth/site/pages/home.html", "/usr/share/hearth/nginx/hearth.conf",
                 "/usr/share/man/man5/hearth.conf.5", "/usr/lib/sysusers.d/hearth.conf"):
        assert os.path.exists(image + path), path
    with open(f"{image}/usr/lib/systemd/system/hearth.service", encoding="utf-8") as file:
        named = re.findall(r"^Exec\w+=(/usr/\S+)", file.read(), re.MULTILINE)
    assert len(named) >= 3, named
    for path in named:
        assert os.access(image + path, os.X_OK), path


@test
def the_installed_configuration_is_good_and_names_the_installed_site():
    image = install()
    conf = f"{image}/etc/hearth/hearth.conf"
    shown = subprocess.run([f"{image}/usr/bin/hearth", "check", "--effective", conf], capture_output=True,
                           text=True, check=False)
    equal(shown.returncode, 0, shown.stderr)
    site = re.search(r'directory = "(/usr/share/[^"]+)"', shown.stdout).group(1)
    assert os.path.isdir(image + site), site


@test
def an_edited_configuration_survives_an_upgrade():
    image = install()
    conf = f"{image}/etc/hearth/hearth.conf"
    with open(conf, "w", encoding="utf-8") as file:
        file.write("pool: { workers = 3; };\n")
    run_install(image)
    with open(conf, encoding="utf-8") as file:
        equal(file.read(), "pool: { workers = 3; };\n")


if __name__ == "__main__":
    main()
