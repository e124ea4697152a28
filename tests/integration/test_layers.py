#!/usr/bin/python3
"""test_layers.py - dependencies point downwards only, and one table alone knows the modules.

What the linker sees of libfcgi is test_symbols.py's affair; here it is the sources.
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import tap  # noqa: E402


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
