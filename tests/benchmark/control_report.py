"""Figures of the control plane's benchmark from fleet_simulator's raw results: tables, a plot in text, and the goals."""

import math

import report

GOAL_PROXIES = 1000
GOALS = {"last_ack_p99_ms": 1000, "settled_kib": 100}


def percentile(values, percent):
    """The smallest of `values` that `percent` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def figures(raw, proxies):
    """One run as a flat dict of numbers."""
    weights, rss = raw["weights"], raw["rss_kib"]
    found = {"proxies": proxies}
    for name in ("last_ack", "answered"):
        for percent in (50, 99):
            found["%s_p%d_ms" % (name, percent)] = percentile(weights["%s_ms" % name], percent)
    found["push_us"] = raw["push_cpu_us"]
    found["ack_us"] = raw["ack_cpu_us"]
    found["change_us"] = raw["lone_change_cpu_us"]
    for name in ("synced", "settled", "changed", "closed"):
        found["%s_kib" % name] = (rss[name] - rss["before"]) / proxies
    found["before_mib"] = rss["before"] / 1024
    found["weight_bytes"] = weights["bytes"]
    found["endpoint_bytes"] = raw["endpoints"]["bytes"]
    found["sync_seconds"] = raw["sync"]["seconds"]
    found["sync_kib"] = raw["sync"]["bytes"] / 1024
    found["settled_percent"] = raw["settled_cpu_share"] * 100
    return found


TABLES = (
    (("last_ack_p50_ms", "last ACK p50 ms", "%.0f"), ("last_ack_p99_ms", "p99 ms", "%.0f"),
     ("answered_p50_ms", "answered p50 ms", "%.0f"), ("answered_p99_ms", "p99 ms", "%.0f"),
     ("push_us", "CPU us/push", "%.1f"), ("ack_us", "CPU us/ACK", "%.1f"), ("change_us", "CPU us/change", "%.0f")),
    (("before_mib", "without streams MiB", "%.1f"), ("synced_kib", "in sync KiB/stream", "%.1f"),
     ("settled_kib", "settled", "%.1f"), ("changed_kib", "after changes", "%.1f"), ("closed_kib", "closed", "%.1f"),
     ("sync_seconds", "all in sync s", "%.1f"), ("sync_kib", "sync KiB/stream", "%.0f"),
     ("weight_bytes", "bytes/weight", "%.0f"), ("endpoint_bytes", "bytes/endpoint", "%.0f"),
     ("settled_percent", "idle CPU %", "%.2f")),
)


def table(columns, rows):
    cells = [["proxies"] + [title for _, title, _ in columns], ["---:"] * (len(columns) + 1)]
    cells += [["%d" % row["proxies"]] + [form % row[key] for key, _, form in columns] for row in rows]
    return report.aligned(cells)


def plot(rows, key, title, width=50):
    """Bars of one figure over the numbers of proxies."""
    most = max(row[key] for row in rows)
    lines = [title]
    for row in rows:
        bar = "#" * max(1, round(row[key] / most * width)) if most > 0 else ""
        lines.append("%6d  %-*s  %.0f" % (row["proxies"], width, bar, row[key]))
    return "\n".join(lines)


def judgements(rows):
    """Whether the goals are met where they are set, in a line each."""
    return ["goal at %d proxies: %s %.1f, at most %d: %s" %
            (row["proxies"], key, row[key], goal, "met" if row[key] <= goal else "missed")
            for row in rows if row["proxies"] == GOAL_PROXIES for key, goal in GOALS.items()]


def text(rows):
    """Everything for people."""
    parts = [table(columns, rows) for columns in TABLES]
    if len(rows) > 1:
        parts += [plot(rows, "last_ack_p50_ms", "from the call to the last ACK, p50, ms, by proxies"),
                  plot(rows, "settled_kib", "memory per stream, settled, KiB, by proxies")]
    return "\n\n".join([""] + parts + ["\n".join(judgements(rows))])
