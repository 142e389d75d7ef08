"""cc_library, cc_binary and cc_test as all BUILD files load them: Bazel's own, started from precompiled headers.

Only where `--define=precompiled_headers=COMPILER` asks for it: clang's configurations and `opt` in .bazelrc. A plain
build does without, and tests/lint/includes.py finds the files that would not compile so.
"""

def _from_precompiled(rule, deps = [], copts = [], **attributes):
    rule(
        deps = deps + select({
            "//deploy/bazel:precompiled_by_clang": ["//deploy/bazel:debian_headers"],
            "//deploy/bazel:precompiled_by_gcc": ["//deploy/bazel:common_headers"],
            "//conditions:default": [],
        }),
        copts = copts + select({
            "//deploy/bazel:precompiled_by_clang": ["-include-pch", "$(BINDIR)/deploy/bazel/debian_headers.pch"],
            "//deploy/bazel:precompiled_by_gcc": ["-include", "$(BINDIR)/deploy/bazel/common_headers.h"],
            "//conditions:default": [],
        }),
        **attributes
    )

def cc_library(**attributes):
    _from_precompiled(native.cc_library, **attributes)

def cc_binary(**attributes):
    _from_precompiled(native.cc_binary, **attributes)

def cc_test(**attributes):
    _from_precompiled(native.cc_test, **attributes)
