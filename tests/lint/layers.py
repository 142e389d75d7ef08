#!/usr/bin/env python3
"""Finds include cycles, includes that point up the layers, and files that grew too long.

A folder may include lower layers only, never its own layer (other than itself) or one above. Bazel's `visibility` says
the same of libraries; this says it of files, and for all folders at once.
"""

import os
import sys

import sources

MAX_LINES = 800

# The data plane: folder -> layer. Folders that are not named here may not exist.
PROXY = {
    "proto": 0,
    "proxy/base": 0,
    "proxy/codec": 1,
    "proxy/hashing": 1,
    "proxy/event": 1,
    "proxy/stats": 1,
    "proxy/config": 2,
    "proxy/routing": 3,
    "proxy/xds": 3,
    "proxy/upstream": 4,
    "proxy/request": 5,
    "proxy/downstream": 6,
    "proxy/admin": 6,
    "proxy/health": 6,
    "proxy/server": 7,
    "proxy": 8,
}

# The control plane. Of the data plane it may use what is pure.
CONTROL_PLANE = {
    "proto": 0,
    "proxy/base": 0,
    "proxy/hashing": 0,
    "proxy/config": 0,
    "controlplane/model": 1,
    "controlplane/kube": 2,
    "controlplane/store": 2,
    "controlplane/cache": 2,
    "controlplane/stream": 3,
    "controlplane/reconcile": 3,
    "controlplane/server": 4,
    "controlplane/ctl": 4,
    "controlplane": 5,
}


def folder_of(path, layers):
    """The named folder that holds `path`: the longest one, so that proxy/base/x/y.h belongs to proxy/base. A folder
    directly below proxy/ or controlplane/ needs a name of its own."""
    folder = os.path.dirname(path)
    while folder:
        if folder in layers:
            is_program = folder in ("proxy", "controlplane")
            return folder if not is_program or os.path.dirname(path) == folder else None
        folder = os.path.dirname(folder)
    return None


def is_test(path):
    return os.path.splitext(path)[0].endswith(("_test", "_benchmark"))


def upward_includes(graph):
    problems = []
    for path, included in graph.items():
        if path.startswith("tests/"):
            continue
        layers = CONTROL_PLANE if path.startswith("controlplane/") else PROXY
        folder = folder_of(path, layers)
        if folder is None:
            problems.append(f"{path}: its folder has no layer; give it one in tests/lint/layers.py")
            continue
        for name in included:
            if name.startswith("tests/"):
                if not is_test(path):
                    problems.append(f"{path}: includes {name}, which is only for tests")
                continue
            other = folder_of(name, layers)
            if other is None:
                problems.append(f"{path}: may not use {name} at all")
            elif other != folder and layers[other] >= layers[folder]:
                problems.append(f"{path}: layer {layers[folder]} includes {name} of layer {layers[other]}")
    return problems


def include_cycles(graph):
    """Every cycle once, as `a -> b -> a`, by depth-first search."""
    problems, finished, path = [], set(), []

    def visit(node):
        if node in path:
            problems.append("include cycle: " + " -> ".join(path[path.index(node):] + [node]))
            return
        if node in finished:
            return
        path.append(node)
        for name in graph.get(node, ()):
            visit(name)
        path.pop()
        finished.add(node)

    for node in sorted(graph):
        visit(node)
    return problems


def long_files(texts):
    return [f"{path}: {text.count(chr(10))} lines; over {MAX_LINES} it is more than one idea"
            for path, text in texts.items() if text.count("\n") > MAX_LINES]


def check(texts):
    """All problems of {path: text}, one line each."""
    graph = sources.include_graph(texts)
    return include_cycles(graph) + upward_includes(graph) + long_files(texts)


def main():
    problems = check({path: sources.read(path) for path in sources.find()})
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
