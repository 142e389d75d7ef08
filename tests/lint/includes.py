#!/usr/bin/env python3
"""Finds files that use a name of a precompiled header and include it nowhere; exit code 1 if there are any.

What starts from deploy/bazel/headers.bzl compiles such a file; a plain build, without them, would not. A file may have a
header from one of ours that it includes, as for the compiler.
usage: includes.py
"""

import os
import re
import runpy
import sys

import sources

# {precompiled header: the names that need it}. What a file includes for them may also be another header of OTHERS.
NAMES = {
    "algorithm": r"std::(ranges::)?(all_of|any_of|count_if|fill|find_if|lower_bound|max_element|min_element|none_of"
                 r"|remove_if|shuffle|sort|stable_sort|transform|unique|upper_bound)\(",
    "array": r"std::array\b",
    "atomic": r"std::atomic\b",
    "chrono": r"std::chrono\b",
    "filesystem": r"std::filesystem\b",
    "fstream": r"std::[io]?fstream\b",
    "functional": r"std::(function|greater|hash|less)<",
    "map": r"std::(multi)?map<",
    "memory": r"std::(make_shared|make_unique|shared_ptr|unique_ptr|weak_ptr)\b",
    "mutex": r"std::(call_once|lock_guard|mutex|once_flag|scoped_lock|unique_lock)\b",
    "optional": r"std::(nullopt|optional)\b",
    "random": r"std::(mt19937(_64)?|random_device|uniform_int_distribution)\b",
    "set": r"std::(multi)?set<",
    "span": r"std::span\b",
    "string": r"std::(stoi|stoul|stoull|string|to_string)\b",
    "string_view": r"std::string_view\b",
    "thread": r"std::(this_thread|thread)\b",
    "utility": r"std::(exchange|pair)\b",
    "vector": r"std::vector\b",
    "absl/container/flat_hash_map.h": r"absl::flat_hash_map\b",
    "absl/functional/any_invocable.h": r"absl::AnyInvocable\b",
    "absl/status/statusor.h": r"absl::(Status|StatusOr|OkStatus|\w+Error)\b",
    "absl/strings/str_cat.h": r"absl::Str(Append|Cat)\b",
    "absl/time/time.h": r"absl::(Duration|Milliseconds|Seconds|Time)\b",
    "google/protobuf/util/json_util.h": r"util::(JsonParseOptions|JsonPrintOptions|JsonStringToMessage|MessageToJsonString)\b",
    "google/protobuf/util/message_differencer.h": r"\bMessageDifferencer\b",
    "grpcpp/grpcpp.h": r"\bgrpc::",
    "nlohmann/json.hpp": r"\bnlohmann::",
    "gmock/gmock.h": r"\bEXPECT_THAT\(",
}
OTHERS = {
    "absl/status/statusor.h": r"absl/status/status\.h",
    "functional": r"map|set",
    "grpcpp/grpcpp.h": r"grpcpp/.*|.*\.grpc\.pb\.h",
    "utility": r"map|memory|vector",
}
COMMENT_OR_STRING = re.compile(r'//[^\n]*|"(?:[^"\\\n]|\\.)*"')
INCLUDE = re.compile(r'^\s*#include [<"]([^>"]+)[>"]', re.M)


def missing(path, texts, graph):
    """Yields (header, name) for what `path` uses without an include of it, its own or of one of ours that it includes."""
    included = {header for file in sources.closure(path, graph) for header in INCLUDE.findall(texts.get(file, ""))}
    code = COMMENT_OR_STRING.sub("", texts[path])
    for header, names in NAMES.items():
        enough = re.compile(f"{re.escape(header)}|{OTHERS.get(header, '(?!)')}")
        if not any(enough.fullmatch(other) for other in included) and (name := re.search(names, code)):
            yield header, name.group().rstrip("(<")


def check(texts):
    """What is wrong in {file: text}, sorted by file."""
    graph = sources.include_graph(texts)
    return [f"{path}: {name} needs #include <{header}>"
            for path in sorted(texts) for header, name in missing(path, texts, graph)]


def main():
    precompiled = runpy.run_path(os.path.join(sources.ROOT, "deploy/bazel/headers.bzl"))["ALL_HEADERS"]
    mistakes = [f"deploy/bazel/headers.bzl: {header}: its names are not in tests/lint/includes.py"
                for header in precompiled if header not in NAMES]
    mistakes += check({path: sources.read(path) for path in sources.find()})
    print("\n".join(mistakes))
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
