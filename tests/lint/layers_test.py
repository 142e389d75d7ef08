#!/usr/bin/env python3
"""Plants each violation in a small tree of files and expects layers.py to name it."""

import unittest

import layers


def include(*names):
    return "".join(f'#include "{name}"\n' for name in names)


class LayersTest(unittest.TestCase):

    def test_downward_includes_pass(self):
        self.assertEqual(layers.check({
            "proxy/base/check.h": "#include <cstdio>\n",
            "proxy/codec/frame.h": include("proxy/base/check.h", "absl/status/status.h"),
            "proxy/main.cc": include("proxy/codec/frame.h"),
            "controlplane/model/plan.cc": include("proxy/hashing/ring.h"),
            "proxy/hashing/ring.h": "",
        }), [])

    def test_upward_include_is_found(self):
        self.assertEqual(layers.check({
            "proxy/upstream/shard.h": "",
            "proxy/codec/frame.cc": include("proxy/upstream/shard.h"),
        }), ["proxy/codec/frame.cc: layer 1 includes proxy/upstream/shard.h of layer 4"])

    def test_sideways_include_is_found_but_not_within_the_folder(self):
        self.assertEqual(layers.check({
            "proxy/event/loop.h": "",
            "proxy/event/stream.h": include("proxy/event/loop.h"),
            "proxy/codec/frame.h": include("proxy/event/loop.h"),
        }), ["proxy/codec/frame.h: layer 1 includes proxy/event/loop.h of layer 1"])

    def test_a_subfolder_has_the_layer_of_its_folder(self):
        self.assertEqual(layers.check({
            "proxy/codec/resp/parser.h": include("proxy/codec/frame.h"),
            "proxy/codec/frame.h": "",
            "proxy/base/x/y.h": include("proxy/codec/resp/parser.h"),
        }), ["proxy/base/x/y.h: layer 0 includes proxy/codec/resp/parser.h of layer 1"])

    def test_control_plane_may_not_use_the_data_plane(self):
        self.assertEqual(layers.check({
            "proxy/codec/frame.h": "",
            "controlplane/stream/stream.cc": include("proxy/codec/frame.h"),
        }), ["controlplane/stream/stream.cc: may not use proxy/codec/frame.h at all"])

    def test_only_tests_may_use_test_support(self):
        self.assertEqual(layers.check({
            "tests/support/fake_loop.h": include("proxy/event/loop.h"),
            "proxy/event/loop.h": "",
            "proxy/event/loop_test.cc": include("tests/support/fake_loop.h"),
            "proxy/event/loop.cc": include("tests/support/fake_loop.h"),
        }), ["proxy/event/loop.cc: includes tests/support/fake_loop.h, which is only for tests"])

    def test_a_new_folder_needs_a_layer(self):
        self.assertEqual(layers.check({"proxy/magic/wand.h": ""}),
                         ["proxy/magic/wand.h: its folder has no layer; give it one in tests/lint/layers.py"])

    def test_include_cycle_is_found_once(self):
        self.assertEqual(layers.check({
            "proxy/codec/a.h": include("proxy/codec/b.h"),
            "proxy/codec/b.h": include("proxy/codec/c.h"),
            "proxy/codec/c.h": include("proxy/codec/a.h"),
            "proxy/codec/a.cc": include("proxy/codec/a.h"),
        }), ["include cycle: proxy/codec/a.h -> proxy/codec/b.h -> proxy/codec/c.h -> proxy/codec/a.h"])

    def test_file_over_the_limit_is_found(self):
        problems = layers.check({"proxy/codec/a.cc": "\n" * 801, "proxy/codec/b.cc": "\n" * 800})
        self.assertEqual([problem.split(":")[0] for problem in problems], ["proxy/codec/a.cc"])


if __name__ == "__main__":
    unittest.main()
