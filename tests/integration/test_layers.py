#!/usr/bin/python3
"""test_layers.py - dependencies point downwards only, as the linker sees them.

The handler library is one for every adapter: neither it nor the core may contain or need a symbol of
libfcgi, or of the adapter that uses it.
"""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import tap  # noqa: E402

FASTCGI = re.compile(r"\b(FCG[IX]_\w+|OS_(Ipc|Accept|Lib|Create)\w*|fcgi_\w+)$")


def symbols(library):
    """Every symbol that a library defines or needs."""
    path = os.path.join(tap.BUILD, library)
    run = subprocess.run(["nm", "--format=posix", path], capture_output=True, text=True, check=True)
    return {line.split()[0] for line in run.stdout.splitlines() if len(line.split()) > 1}


@tap.test
def the_check_knows_fastcgi_when_it_sees_it():
    found = [s for s in symbols("libhearth_fcgi_adapter.a") if FASTCGI.search(s)]
    assert any(s.startswith("FCGX_") for s in found), "the adapter itself uses libfcgi"


@tap.test
def the_handlers_neither_contain_nor_need_fastcgi():
    found = [s for s in symbols("libhearth_handlers.a") if FASTCGI.search(s)]
    tap.equal(found, [], "libhearth_handlers.a")


@tap.test
def the_core_neither_contains_nor_needs_fastcgi():
    found = [s for s in symbols("libhearth_core.a") if FASTCGI.search(s)]
    tap.equal(found, [], "libhearth_core.a")


@tap.test
def the_command_line_does_not_load_libfcgi():
    run = subprocess.run(["ldd", os.path.join(tap.BUILD, "hearth")], capture_output=True, text=True, check=True)
    tap.equal([line for line in run.stdout.splitlines() if "libfcgi" in line], [], "ldd hearth")


@tap.test
def one_table_alone_names_the_modules():
    naming = []
    for path in glob.glob(os.path.join(tap.ROOT, "app", "**", "*.[ch]"), recursive=True):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
        if re.search(r"\b(ops|site|sensor|gateway)_module\b", text):
            naming.append(os.path.relpath(path, tap.ROOT))
    tap.equal(naming, ["app/modules.c"], "files that name a handler module")


@tap.test
def no_layer_includes_one_above_it():
    below = {"app/core": ("app/http/", "app/store/", "app/adapter/", "app/cli/", "handlers/"),
             "app/store": ("app/http/", "app/adapter/", "app/cli/", "handlers/"),
             "app/http": ("app/adapter/", "app/cli/", "handlers/"),
             "app/adapter": ("app/cli/", "handlers/"),
             "handlers": ("app/adapter/", "app/cli/")}
    wrong = []
    for layer, forbidden in below.items():
        for path in glob.glob(os.path.join(tap.ROOT, layer, "**", "*.[ch]"), recursive=True):
            with open(path, encoding="utf-8") as file:
                for include in re.findall(r'(?m)^#include "([^"]+)"', file.read()):
                    if include.startswith(forbidden):
                        wrong.append(f"{os.path.relpath(path, tap.ROOT)} includes {include}")
    tap.equal(wrong, [], "includes that point upwards")


if __name__ == "__main__":
    tap.main()
