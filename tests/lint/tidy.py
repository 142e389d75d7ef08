#!/usr/bin/env python3
"""Runs clang-tidy over every .cc file and prints its findings; exit code 1 if there are any.

A file that was clean is not looked at again until it, a header of ours that it includes, the checks or clang-tidy
itself change: its key (a hash of all that) is kept in a folder outside the checkout. clang-tidy 22 is the first that
leaves system headers alone, which halves its time; precompiling them (deploy/bazel/headers.bzl) halves it again, and so
does scope_check.cpp.
usage: tidy.py BAZEL_BIN CACHE_FOLDER
BAZEL_BIN is where `bazel build //proto/...` left what protoc generates.
"""

import concurrent.futures
import functools
import hashlib
import os
import runpy
import subprocess
import sys
import tempfile
import time

import sources

CLANG_TIDY = "clang-tidy-22"
CLANG = "clang++-22"  # the same version: it makes the precompiled headers
HEADERS = runpy.run_path(os.path.join(sources.ROOT, "deploy/bazel/headers.bzl"))
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wno-unused-parameter", "-I."]
SCOPE_CHECK = os.path.join(sources.ROOT, "tests/lint/scope_check.cpp")
LLVM_HEADERS = "/usr/lib/llvm-22/include"
# An include of what protoc generates.
GENERATED = '.pb.h"'

# Tests get only checks that find bugs of tests and do not ask for a node's parents, which would load all of gtest's and
# gRPC's headers: 2.5 s a file, where the rest takes one.
TEST_CHECKS = "-*,bugprone-argument-comment,misc-unused-using-decls,modernize-use-override,performance-for-range-copy"


@functools.cache
def is_test(path):
    return "gtest/gtest.h" in sources.read(path) or "gmock/gmock.h" in sources.read(path)


def command(path):
    checks = TEST_CHECKS if is_test(path) else "weir-scope"
    return [CLANG_TIDY, "--quiet", f"--checks={checks}", path, "--", *FLAGS]


def precompile(folder):
    """Makes the headers to start from; returns their path."""
    source = os.path.join(folder, "debian.h")
    with open(source, "w") as file:
        file.writelines(f"#include <{header}>\n" for header in HEADERS["ALL_HEADERS"])
    subprocess.run([CLANG, *FLAGS, "-x", "c++-header", "-fpch-instantiate-templates", source, "-o", source + ".pch"],
                   check=True, cwd=sources.ROOT)
    return source + ".pch"


def make_scope_check(cache):
    """Compiles scope_check.cpp unless `cache` has it; returns the path of the library for clang-tidy to load."""
    with open(SCOPE_CHECK, "rb") as file:
        library = os.path.join(cache, f"scope-{hashlib.sha256(tidy_version() + file.read()).hexdigest()}.so")
    if not os.path.exists(library):
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            made = os.path.join(folder, "scope.so")
            subprocess.run([CLANG, "-std=c++20", "-fno-rtti", "-fPIC", "-shared", "-isystem", LLVM_HEADERS, SCOPE_CHECK,
                            "-o", made], check=True)
            os.rename(made, library)
    os.utime(library)
    return library


def tidy_version():
    return subprocess.run([CLANG_TIDY, "--version"], check=True, capture_output=True).stdout


def generated_flags(bazel_bin):
    return ["-isystem", bazel_bin, "-isystem", os.path.join(bazel_bin, "proto")]


def keys(paths):
    """{path: hash of everything that decides whether clang-tidy likes it}."""
    texts = {path: sources.read(path) for path in sources.find()}
    graph = sources.include_graph(texts)
    common = tidy_version().decode() + sources.read(".clang-tidy") + repr(HEADERS["ALL_HEADERS"])
    common += sources.read(os.path.relpath(SCOPE_CHECK, sources.ROOT))
    schema = "".join(sources.read(path) for path in sources.find(suffixes=(".proto",)))
    result = {}
    for path in paths:
        parts = [common, " ".join(command(path)[1:])]
        parts += [name + "\n" + texts.get(name, "") for name in sorted(sources.closure(path, graph))]
        if any(GENERATED in part for part in parts):
            parts.append(schema)
        result[path] = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return result


def findings(path, bazel_bin, precompiled, scope_check):
    """What clang-tidy says of `path`, or nothing."""
    program, *arguments = command(path)
    run = subprocess.run([program, "-load", scope_check, *arguments, *generated_flags(bazel_bin),
                          "-include-pch", precompiled],
                         capture_output=True, text=True, cwd=sources.ROOT)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def look_at(paths, bazel_bin, cache):
    """Yields each path with its findings."""
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        scope_check = pool.submit(make_scope_check, cache)
        common = precompile(folder), scope_check.result()
        yield from zip(paths, pool.map(lambda path: findings(path, bazel_bin, *common), paths))


def forget_old(cache, days=30):
    for entry in os.scandir(cache):
        if entry.is_file() and entry.stat().st_mtime < time.time() - days * 86400:
            os.unlink(entry.path)


def main():
    bazel_bin, cache = sys.argv[1:]
    os.makedirs(cache, exist_ok=True)
    forget_old(cache)
    key_of = keys(sources.find(suffixes=(".cc",)))
    stale = []
    for path, key in key_of.items():
        try:
            os.utime(os.path.join(cache, key))
        except FileNotFoundError:
            stale.append(path)
    print(f"clang-tidy: {len(stale)} of {len(key_of)} files to look at", file=sys.stderr, flush=True)
    bad = 0
    for done, (path, text) in enumerate(look_at(stale, bazel_bin, cache) if stale else [], start=1):
        if done % 20 == 0:
            print(f"clang-tidy: {done} of {len(stale)}", file=sys.stderr, flush=True)
        if text:
            bad += 1
            print(text)
        else:
            open(os.path.join(cache, key_of[path]), "w").close()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
