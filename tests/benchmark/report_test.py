#!/usr/bin/env python3
"""Medians, ratios and the table of the benchmark's report."""

import unittest

import report


def raw(cpu_us, requests):
    latency = {"mean": 1, "p50": 10.0, "p99": 20.0, "p99.9": 30.0, "max": 40.0}
    return {"seconds": 2.0, "process": {"us": cpu_us, "user_us": cpu_us / 4, "peak_rss_kib": 2048},
            "groups": [{"name": "get", "requests": requests, "requests_per_second": requests / 2.0,
                        "latency_us": latency}]}


class ReportTest(unittest.TestCase):
    def test_figures_are_per_request(self):
        found = report.figures(raw(1e6, 100_000))
        self.assertEqual(found["cpu_us"], 10)
        self.assertEqual(found["user_us"], 2.5)
        self.assertEqual(found["busy_percent"], 50)
        self.assertEqual(found["rps"], 50_000)
        self.assertEqual(found["peak_rss_mib"], 2)

    def test_ratios_are_taken_within_rounds_before_the_median(self):
        # The machine becomes twice as slow in the second round and four times in the third.
        weir = [report.figures(raw(us, 1000)) for us in (1000, 2000, 4000)]
        twemproxy = [report.figures(raw(us, 1000)) for us in (2000, 4000, 8000)]
        summary = report.summarise({"weir": weir, "tw": twemproxy})
        self.assertEqual(summary["weir"]["median"]["cpu_us"], 2)
        self.assertEqual(summary["weir"]["cpu_us_ratio"], {"tw": 0.5})
        self.assertEqual(summary["tw"]["cpu_us_ratio"], {})

    def test_a_variant_is_compared_with_the_plain_proxy_of_the_same_round(self):
        plain = [report.figures(raw(us, 1000)) for us in (1000, 2000)]
        variant = [report.figures(raw(us, 1000)) for us in (1500, 3000)]
        for one in variant:
            one["p99"] = 30.0
        summary = report.summarise({"weir": plain, "weir+reloads": variant})
        self.assertEqual(summary["weir"]["plain_ratio"], {})
        self.assertEqual(summary["weir+reloads"]["plain_ratio"], {"cpu_us": 1.5, "p50": 1, "p99": 1.5})
        lines = report.table(summary).split("\n")
        self.assertTrue(lines[0].endswith("| CPU x plain | p50 x plain | p99 x plain |"), lines[0])
        self.assertTrue(lines[2].endswith("|           - |           - |           - |"), lines[2])
        self.assertTrue(lines[3].endswith("|        1.50 |        1.00 |        1.50 |"), lines[3])

    def test_idle_memory_is_per_connection(self):
        idle = {"connections": 1000, "process": {"us": 1, "user_us": 1, "peak_rss_kib": 4096},
                "rss_kib": {"before": 1000, "untouched": 2000, "touched": 3500}}
        found = report.figures(idle)
        self.assertEqual((found["untouched_kib"], found["touched_kib"]), (1, 2.5))

    def test_direct_has_dashes_where_a_proxy_has_figures(self):
        direct = raw(0, 1000)
        direct["process"]["peak_rss_kib"] = 0
        text = report.table(report.summarise({"tw": [report.figures(raw(1000, 1000))],
                                              "direct": [report.figures(direct)]}))
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n")]
        self.assertEqual(cells[0], ["proxy", "CPU us/req", "user us/req", "busy %", "peak RSS MiB", "req/s", "p50 us",
                                    "p99 us", "p99.9 us"])
        self.assertEqual(cells[2], ["tw", "1.00", "0.25", "0", "2.0", "500", "10", "20", "30"])
        self.assertEqual(cells[3], ["direct", "-", "-", "-", "-", "500", "10", "20", "30"])


if __name__ == "__main__":
    unittest.main()
