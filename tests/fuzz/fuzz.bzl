"""Fuzzers: one function LLVMFuzzerTestOneInput per file, seeds and once crashing inputs in corpus/NAME."""

load("//deploy/bazel:cc.bzl", "cc_binary", "cc_test")

def fuzz_target(name, deps):
    """From NAME.cc: the libFuzzer binary NAME (tests/run fuzz) and NAME_corpus_test, which replays corpus/NAME.

    The binary needs --config=fuzz; the replay runs in every configuration and keeps fixed crashes fixed.
    A crash becomes a file in the corpus that is named after its cause.
    """
    cc_binary(
        name = name,
        testonly = True,
        srcs = [name + ".cc"],
        linkopts = ["-fsanitize=fuzzer"],
        tags = [
            "fuzzer",
            "manual",
        ],
        deps = deps,
    )
    cc_test(
        name = name + "_corpus_test",
        size = "small",
        srcs = [name + ".cc"],
        args = ["tests/fuzz/corpus/" + name],
        data = native.glob(["corpus/%s/**" % name], allow_empty = False),
        deps = deps + ["//tests/fuzz:replay_main"],
    )
