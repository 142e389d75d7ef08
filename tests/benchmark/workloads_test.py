#!/usr/bin/env python3
"""Which workloads are measured with which proxies, and the variants of a proxy."""

import json
import pathlib
import unittest

import variants
import workloads

FILE = pathlib.Path(__file__).parent / "workloads.json"
GROUP = {"name": "get", "connections": 50, "pipeline": 16, "mix": {"get": 1}, "value_size": 100}
ENTRIES = {"A": {"title": "all", "shards": ["saturated", "redis"], "groups": [GROUP]},
           "B": {"like": "A", "title": "many", "shards": ["saturated"], "shard_count": 40}}


class WorkloadsTest(unittest.TestCase):
    def test_an_entry_takes_from_the_one_that_it_is_like_what_it_does_not_say(self):
        chosen = workloads.choose(ENTRIES, ["B"], smoke=False)
        self.assertEqual(chosen, {"B": {"like": "A", "title": "many", "shards": ["saturated"], "shard_count": 40,
                                        "groups": [GROUP]}})

    def test_without_names_all_are_chosen(self):
        self.assertEqual(list(workloads.choose(ENTRIES, None, smoke=False)), ["A", "B"])

    def test_an_unknown_name_is_told_with_those_that_there_are(self):
        with self.assertRaisesRegex(workloads.Unknown, r"no such workload: C \(workloads.json has A, B\)"):
            workloads.choose(ENTRIES, ["A", "C"], smoke=False)

    def test_a_smoke_test_is_small(self):
        (group,) = workloads.choose(ENTRIES, ["B"], smoke=True)["B"]["groups"]
        self.assertEqual(group, {**GROUP, "connections": 10, "keys": 200})
        self.assertEqual(workloads.shrunk({**GROUP, "idle": True, "connections": 9500, "rate": 9000, "keys": 5}),
                         {**GROUP, "idle": True, "connections": 50, "rate": 2000, "keys": 5})

    def test_builds_of_weir_proxy_are_measured_with_the_variants_of_the_workload(self):
        workload = {"proxies": ["tw"], "variants": ["reloads"]}
        self.assertEqual(workloads.proxies_of(workload, ["weir", "tw", "tw-v4", "old"], ["weir", "old"]),
                         ["weir", "weir+reloads", "tw", "old", "old+reloads"])

    def test_a_variant_that_is_asked_for_is_measured_once(self):
        workload = {"variants": ["reloads"]}
        self.assertEqual(workloads.proxies_of(workload, ["weir", "weir+reloads", "weir+2workers"], ["weir"]),
                         ["weir", "weir+reloads", "weir+2workers"])

    def test_each_worker_has_the_same_number_of_connections(self):
        self.assertEqual(variants.load([GROUP], "weir"), [GROUP])
        self.assertEqual(variants.load([GROUP], "old+2workers"), [{**GROUP, "connections": 100}])

    def test_every_entry_of_the_file_is_complete(self):
        entries = json.loads(FILE.read_text())
        for name, workload in workloads.choose(entries, None, smoke=False).items():
            with self.subTest(name):
                self.assertTrue(workload["groups"] and workload["title"])
                self.assertLessEqual(set(workload["shards"]), {"saturated", "redis"})
                self.assertLessEqual(set(workload.get("variants", [])), set(variants.ALL))
                self.assertIn(workload.get("like", name), entries)


if __name__ == "__main__":
    unittest.main()
