#!/usr/bin/env python3
"""Finds what an API of the project does not explain: every message, enum, service, call, field and value of a .proto file
has a comment above it or behind it. The value 0 that stands for "not set" speaks for itself."""

import re
import sys

import sources

# What begins a declaration, and its name.
DECLARATION = re.compile(
    r"^\s*(?:(?:message|enum|service|oneof|rpc)\s+(\w+)\b|(?:optional\s+|repeated\s+)?[\w.]+\s+(\w+)\s*=\s*\d+\s*[;\[]"
    r"|([A-Z]\w*)\s*=\s*\d+\s*;)")
# Statements of other kinds that look like fields.
OTHER = re.compile(r"^\s*(?:syntax|package|import|option|reserved)\b")


def check(path, text):
    """The declarations of `text` without a comment, one line each."""
    problems = []
    before = ""
    for number, line in enumerate(text.split("\n"), start=1):
        declaration = None if OTHER.match(line) else DECLARATION.match(line)
        if declaration:
            name = next(group for group in declaration.groups() if group)
            has_comment = "//" in line or before.lstrip().startswith("//")
            if not has_comment and not name.endswith("_UNSPECIFIED"):
                problems.append(f"{path}:{number}: {name} has no comment")
        before = line
    return problems


def main():
    problems = []
    for path in sources.find(suffixes=(".proto",)):
        if path.startswith("proto/weir/"):
            problems += check(path, sources.read(path))
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
