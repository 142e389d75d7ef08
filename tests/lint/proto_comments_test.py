#!/usr/bin/env python3
"""Plants declarations without comments and expects proto_comments.py to name them."""

import unittest

import proto_comments

GOOD = """syntax = "proto3";
package weir.v1;
import "weir/v1/pool.proto";

// A thing.
message Thing {
  string name = 1;  // its name
  // How much.
  optional uint64 size = 2;
  reserved 40 to 59;
  // One of them.
  oneof body {
    google.protobuf.Timestamp time = 3;  // when
  }
}

// What it is.
enum Kind {
  KIND_UNSPECIFIED = 0;
  KIND_GOOD = 1;  // as it should be
}

// Calls.
service Things {
  // Makes one.
  rpc Make(Thing) returns (Thing);
}
"""


class ProtoCommentsTest(unittest.TestCase):

    def test_what_has_comments_passes(self):
        self.assertEqual(proto_comments.check("a.proto", GOOD), [])

    def test_each_declaration_without_a_comment_is_named(self):
        for comment, name in [("// A thing.\n", "Thing"), ("  // its name", "name"), ("  // How much.\n", "size"),
                              ("  // One of them.\n", "body"), ("  // when", "time"), ("// What it is.\n", "Kind"),
                              ("  // as it should be", "KIND_GOOD"), ("// Calls.\n", "Things"),
                              ("  // Makes one.\n", "Make")]:
            with self.subTest(name=name):
                text = GOOD.replace(comment, "", 1)
                self.assertEqual([problem.split(": ")[1] for problem in proto_comments.check("a.proto", text)],
                                 [f"{name} has no comment"])

    def test_a_comment_further_up_is_of_something_else(self):
        text = "// The first.\n\nmessage Thing {\n}\n"
        self.assertEqual(proto_comments.check("a.proto", text), ["a.proto:3: Thing has no comment"])


if __name__ == "__main__":
    unittest.main()
