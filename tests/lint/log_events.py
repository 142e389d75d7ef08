#!/usr/bin/env python3
"""Fails when a program logs an event that its document does not name, or docs/log.md has one that nothing logs.

usage: log_events.py     from the root of the checkout
"""

import pathlib
import re
import sys

# Where events are logged, and the document that names each, as `event`.
PROGRAMS = {"proxy": "docs/log.md", "controlplane": "docs/control_plane.md"}

# Of a call, what stands before its fields.
CALL = re.compile(r"\b(?:LOG_EVENT|LOG_EVENT_LIMITED|LogEvent)\(([^{;]*)")
NAME = re.compile(r'"([a-z][a-z0-9_]*)"')
TICKED = re.compile(r"`([a-z][a-z0-9_]*)`")
ROW = re.compile(r"^\| `([a-z][a-z0-9_]*)` \|", re.MULTILINE)


def logged(root):
    names = {}
    for path in sorted(pathlib.Path(root).rglob("*")):
        if path.suffix not in (".cc", ".h") or path.stem.endswith("_test") or path.match("proxy/base/log.*"):
            continue
        for call in CALL.finditer(path.read_text()):
            for name in NAME.findall(call.group(1)):
                names.setdefault(name, path)
    return names


def problems(names, document):
    text = pathlib.Path(document).read_text()
    for name in sorted(names.keys() - set(TICKED.findall(text))):
        yield f"{names[name]}: event '{name}' is not in {document}"
    if document != "docs/log.md":
        return
    for name in sorted(set(ROW.findall(text)) - names.keys()):
        yield f"{document}: nothing logs '{name}'"


def main():
    found = [line for root, document in PROGRAMS.items() for line in problems(logged(root), document)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
