#!/usr/bin/env python3
"""Plants events and documents that do not fit and expects log_events.py to name them."""

import pathlib
import tempfile
import unittest

import log_events

SOURCE = """
  LOG_EVENT(LogLevel::kNotice, "plain", {"pool", name});
  LOG_EVENT_LIMITED(LogLevel::kWarn, gone ? "either" : "other",
                    {"error", "no_event"});
  LogEvent(
      LogLevel::kError, "wrapped", {{"level", level}});
"""


class LogEventsTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "logs.cc").write_text(SOURCE)
        (self.root / "logs_test.cc").write_text('LOG_EVENT(level, "of_a_test", {});')

    def test_finds_the_events_of_all_forms_and_no_fields(self):
        self.assertEqual({"plain", "either", "other", "wrapped"}, set(log_events.logged(self.root)))

    def test_names_what_the_document_leaves_out(self):
        document = self.root / "words.md"
        document.write_text("`plain`, `either`, `other`")
        found = list(log_events.problems(log_events.logged(self.root), str(document)))
        self.assertEqual(1, len(found))
        self.assertIn("'wrapped'", found[0])

    def test_names_rows_that_nothing_logs(self):
        self.assertIn("docs/log.md: nothing logs 'shard_ejected'", log_events.problems({}, "docs/log.md"))


if __name__ == "__main__":
    unittest.main()
