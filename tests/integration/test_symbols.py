#!/usr/bin/python3
"""test_symbols.py - handlers and core neither define nor need a symbol of libfcgi.

The names are not a pattern but what the library itself exports, so that nothing of a later version is
missed. The adapter and its program, which do use it, show that the check sees what it looks for.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.tap import BUILD, equal, main, test  # noqa: E402


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def fcgi_library():
    """The file that the build linked with, as CMake found it."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        for line in cache:
            if line.startswith("FCGI_LIBRARY:"):
                return line.split("=", 1)[1].strip()
    raise AssertionError("CMakeCache.txt does not name libfcgi")


def exported():
    """What libfcgi defines for others."""
    lines = output("nm", "-D", "--defined-only", "--format=posix", fcgi_library()).splitlines()
    return {line.split()[0].split("@")[0] for line in lines if line.split()}


def symbols(archive):
    """Every symbol that a static library defines or needs, local ones too."""
    lines = output("nm", "--format=posix", os.path.join(BUILD, archive)).splitlines()
    return {line.split()[0] for line in lines if len(line.split()) > 1}


def needed(program):
    """The shared libraries that the program itself asks the loader for."""
    lines = output("readelf", "--dynamic", "--wide", os.path.join(BUILD, program)).splitlines()
    return [line.split("[", 1)[1].rstrip("]") for line in lines if "(NEEDED)" in line]


def loaded(program):
    """The shared libraries that are loaded in the end, those of libraries included."""
    return [line.split()[0] for line in output("ldd", os.path.join(BUILD, program)).splitlines()]


@test
def libfcgi_exports_what_we_think_it_does():
    names = exported()
    for name in ("FCGX_Accept_r", "FCGX_GetParam", "OS_LibInit", "FCGI_Accept"):
        assert name in names, name


@test
def the_adapter_is_seen_to_use_libfcgi():
    assert "FCGX_Accept_r" in symbols("libhearth_fcgi_adapter.a") & exported()


@test
def the_handlers_have_no_symbol_of_libfcgi():
    equal(sorted(symbols("libhearth_handlers.a") & exported()), [], "libhearth_handlers.a")


@test
def the_core_has_no_symbol_of_libfcgi():
    equal(sorted(symbols("libhearth_core.a") & exported()), [], "libhearth_core.a")


@test
def the_core_is_not_empty():
    assert {"arena_new", "metrics_render"} <= symbols("libhearth_core.a")


@test
def only_the_pool_is_linked_with_libfcgi():
    assert any(name.startswith("libfcgi") for name in needed("hearth-fcgi")), needed("hearth-fcgi")
    equal([name for name in needed("hearth") if "fcgi" in name], [], "needed by hearth")
    equal([name for name in loaded("hearth") if "fcgi" in name], [], "loaded by hearth")


if __name__ == "__main__":
    main()
