#!/usr/bin/env python3
"""Tests of control_report.py."""

import unittest

import control_report

RAW = {
    "lone_change_cpu_us": 900.0,
    "sync": {"seconds": 2.0, "cpu_us": 50.0, "bytes": 2048.0},
    "rss_kib": {"before": 1000, "synced": 3000, "settled": 2000, "changed": 2500, "closed": 1500},
    "settled_cpu_share": 0.01,
    "weights": {"last_ack_ms": [30.0, 10.0, 20.0, 40.0], "answered_ms": [31.0, 11.0, 21.0, 41.0], "cpu_us": 1.0,
                "bytes": 100.0},
    "endpoints": {"last_ack_ms": [1.0], "answered_ms": [1.0], "cpu_us": 1.0, "bytes": 200.0},
    "push_cpu_us": 12.0,
    "ack_cpu_us": 6.0,
}


class ControlReportTest(unittest.TestCase):

    def test_a_percentile_is_one_of_the_values(self):
        self.assertEqual(control_report.percentile([30, 10, 20, 40], 50), 20)
        self.assertEqual(control_report.percentile([30, 10, 20, 40], 99), 40)
        self.assertEqual(control_report.percentile([7], 50), 7)

    def test_memory_is_what_was_added_for_each_proxy(self):
        figures = control_report.figures(RAW, 10)
        self.assertEqual((figures["synced_kib"], figures["settled_kib"], figures["closed_kib"]), (200, 100, 50))
        self.assertEqual((figures["last_ack_p50_ms"], figures["last_ack_p99_ms"]), (20, 40))

    def test_goals_are_judged_at_their_number_of_proxies_only(self):
        self.assertEqual(control_report.judgements([control_report.figures(RAW, 10)]), [])
        self.assertEqual(control_report.judgements([control_report.figures(RAW, 1000)]),
                         ["goal at 1000 proxies: last_ack_p99_ms 40.0, at most 1000: met",
                          "goal at 1000 proxies: settled_kib 1.0, at most 100: met"])

    def test_a_bar_is_as_long_as_its_share_of_the_longest(self):
        rows = [{"proxies": 10, "x": 1}, {"proxies": 20, "x": 2}]
        self.assertEqual(control_report.plot(rows, "x", "title", width=4).splitlines(),
                         ["title", "    10  ##    1", "    20  ####  2"])

    def test_every_column_has_its_figure(self):
        text = control_report.text([control_report.figures(RAW, 1000), control_report.figures(RAW, 2000)])
        self.assertIn("| proxies |", text)
        self.assertIn("last ACK p50 ms", text)


if __name__ == "__main__":
    unittest.main()
