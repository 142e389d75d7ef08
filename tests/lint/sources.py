"""The project's C++ files and what they include of each other."""

import os
import re

FOLDERS = ("proto", "proxy", "controlplane", "tests")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find(root=ROOT, suffixes=(".cc", ".h")):
    """Paths below the project's folders, relative to `root`, sorted."""
    found = []
    for top in FOLDERS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names if name.endswith(suffixes)]
    return sorted(found)


def read(path, root=ROOT):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def include_graph(texts):
    """{file: [included file, ...]} of {file: text}; includes of other projects are left out, unknown ones of ours stay."""
    ours = tuple(top + "/" for top in FOLDERS)
    return {path: [name for name in INCLUDE.findall(text) if name in texts or name.startswith(ours)]
            for path, text in texts.items()}


def closure(path, graph):
    """`path` and everything that it includes, directly or not."""
    seen, open_ = set(), [path]
    while open_:
        current = open_.pop()
        if current not in seen:
            seen.add(current)
            open_ += graph.get(current, ())
    return seen
