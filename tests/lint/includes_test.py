#!/usr/bin/env python3
"""Plants missing includes in a small tree of files and expects includes.py to name them."""

import unittest

import includes


class IncludesTest(unittest.TestCase):

    def test_a_name_without_its_header_is_found(self):
        self.assertEqual(includes.check({"proxy/base/a.cc": "std::vector<int> v;\n"}),
                         ["proxy/base/a.cc: std::vector needs #include <vector>"])

    def test_a_header_of_ours_may_bring_it(self):
        self.assertEqual(includes.check({
            "proxy/base/a.cc": '#include "proxy/base/a.h"\nstd::vector<int> v;\n',
            "proxy/base/a.h": '#include "proxy/base/b.h"\n',
            "proxy/base/b.h": "#include <vector>\n",
        }), [])

    def test_a_header_does_not_have_it_from_the_file_that_includes_it(self):
        self.assertEqual(includes.check({
            "proxy/base/a.cc": '#include <string>\n#include "proxy/base/a.h"\n',
            "proxy/base/a.h": "std::string Name();\n",
        }), ["proxy/base/a.h: std::string needs #include <string>"])

    def test_names_in_comments_and_strings_do_not_count(self):
        self.assertEqual(includes.check({"proxy/base/a.cc": '// a std::map<\nconst char* x = "std::set<";\n'}), [])

    def test_a_smaller_header_that_has_the_name_is_enough(self):
        self.assertEqual(includes.check({
            "proxy/base/a.cc": '#include "absl/status/status.h"\nabsl::Status s;\n',
            "proxy/base/b.cc": "absl::StatusOr<int> s;\n",
        }), ["proxy/base/b.cc: absl::StatusOr needs #include <absl/status/statusor.h>"])


if __name__ == "__main__":
    unittest.main()
