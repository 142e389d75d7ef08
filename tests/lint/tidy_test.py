"""Tests of tidy.py: that scope_check.cpp takes no finding away."""

import os
import re
import subprocess
import tempfile
import unittest

import sources
import tidy

# A finding of every check that asks for parents, in functions, templates and lambdas.
SOURCE = """
namespace other { class Forward {}; }
namespace weir {
class Forward;
struct Implicit { Implicit(int x); };
struct Destroyed { Destroyed() {} ~Destroyed() {} Destroyed& operator=(const Destroyed&); };
struct Raii { explicit Raii(int); ~Raii(); };
template <typename T> struct Holder { Holder(T t) : t_(t) {} ~Holder() {} T t_; };
template <typename T> int Length(T t) { if (t.size() == 0) { return 1; } else { return 1; } }
int Use(bool* flag, int a, int b, const std::string& text) {
  if (flag) a++;
  if (a > b) { b++; } else { b++; }
  if (a == a) return 1;
  std::runtime_error("not thrown");
  Raii(3);
  auto pointer = std::unique_ptr<std::string>(new std::string("abc"));
  auto lambda = [&] { if (flag) return text.size() == 0; Raii(4); return a - a == 0; };
  return lambda() + (b & b) + Length(text);
}
}  // namespace weir
"""
HEADER = "#include <memory>\n#include <stdexcept>\n#include <string>\n"
CHECKS = ["bugprone-bool-pointer-implicit-conversion", "bugprone-branch-clone", "bugprone-forward-declaration-namespace",
          "bugprone-throw-keyword-missing", "bugprone-unused-raii", "google-explicit-constructor",
          "misc-redundant-expression", "modernize-make-unique", "modernize-use-equals-default",
          "readability-container-size-empty"]


def findings(folder, *options):
    """What clang-tidy says of SOURCE, as `line: check`."""
    run = subprocess.run([tidy.CLANG_TIDY, *options, "--config-file=" + os.path.join(sources.ROOT, ".clang-tidy"),
                          f"{folder}/source.cc", "--", *tidy.FLAGS, "-include-pch", f"{folder}/debian.h.pch"],
                         check=False, capture_output=True, text=True)
    return sorted(f"{line}: {check}" for line, check in
                  re.findall(r"source\.cc:(\d+):\d+: error: .*\[([a-z-]+),-warnings-as-errors\]", run.stdout))


class ScopeCheckTest(unittest.TestCase):
    def test_finds_the_same_with_and_without_the_scope(self):
        cache = os.path.expanduser("~/.cache/weir/tidy")
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("source.cc", SOURCE), ("debian.h", HEADER)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            subprocess.run([tidy.CLANG, *tidy.FLAGS, "-x", "c++-header", f"{folder}/debian.h",
                            "-o", f"{folder}/debian.h.pch"], check=True)
            expected = findings(folder)
            self.assertEqual(findings(folder, "-load", tidy.make_scope_check(cache), "--checks=weir-scope"), expected)
        self.assertEqual([check for check in CHECKS if not any(line.endswith(" " + check) for line in expected)], [])


if __name__ == "__main__":
    unittest.main()
