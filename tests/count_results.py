#!/usr/bin/env python3
"""Counts test cases: prints `PASSED FAILED`.

usage: count_results.py --junit FILE.xml       a JUnit file, as pytest writes it
       count_results.py --bazel EVENTS.json    what `bazel test --build_event_json_file` wrote
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def count_junit(path):
    """(passed, failed) of the cases in a JUnit file. Skipped and disabled cases are neither."""
    passed = failed = 0
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None and case.get("status") != "notrun":
            passed += 1
    return passed, failed


def count_target(results):
    """(passed, failed) of one test target: its cases, or 1 if it did not live to write them down."""
    passed = failed = 0
    for result in results:
        green = result["status"] in ("PASSED", "FLAKY")
        files = [urllib.parse.unquote(urllib.parse.urlparse(file["uri"]).path)
                 for file in result.get("testActionOutput", ()) if file["name"] == "test.xml"]
        try:
            good, bad = count_junit(files[0])
        except (IndexError, OSError, ElementTree.ParseError):
            good, bad = (1, 0) if green else (0, 1)
        passed, failed = passed + good, failed + (bad if green else max(bad, 1))
    return passed, failed


def count_bazel(path):
    """(passed, failed) over all test targets; one that did not build is a failure, one filtered out is not."""
    results, configured, built = {}, set(), set()
    with open(path, encoding="utf-8") as events:
        for event in map(json.loads, events):
            identity = event["id"]
            if "testResult" in identity and "testResult" in event:
                key = identity["testResult"]
                attempt = (key.get("run", 1), key.get("shard", 1))
                # Of several attempts the last one counts.
                results.setdefault(key["label"], {})[attempt] = event["testResult"]
            elif "targetConfigured" in identity and event.get("configured", {}).get("testSize"):
                configured.add(identity["targetConfigured"]["label"])
            elif event.get("completed", {}).get("success"):
                built.add(identity["targetCompleted"]["label"])
    counts = [count_target(by_attempt.values()) for by_attempt in results.values()]
    missing = len(configured - set(results) - built)
    return sum(passed for passed, _ in counts), sum(failed for _, failed in counts) + missing


def main():
    kind, path = sys.argv[1:]
    print(*(count_junit if kind == "--junit" else count_bazel)(path))


if __name__ == "__main__":
    main()
