"""Figures from the load generator's raw results: per round, medians, ratios, and the table of them.

A ratio is taken within each round, between runs that followed each other, and then the median of the
rounds: slow drifts of the machine cancel out.
"""

import statistics

PEERS = ("tw", "tw-v4")


def figures(raw):
    """One round of one proxy as a flat dict of numbers; a missing figure is absent."""
    found = {}
    process = raw["process"]
    if process["peak_rss_kib"]:
        found["peak_rss_mib"] = process["peak_rss_kib"] / 1024
    if "rss_kib" in raw:
        rss = raw["rss_kib"]
        found["untouched_kib"] = (rss["untouched"] - rss["before"]) / raw["connections"]
        found["touched_kib"] = (rss["touched"] - rss["before"]) / raw["connections"]
        return found
    requests = sum(group["requests"] for group in raw["groups"])
    if process["us"] and requests:
        found["cpu_us"] = process["us"] / requests
        found["user_us"] = process["user_us"] / requests
        found["busy_percent"] = process["us"] / raw["seconds"] / 1e4
    for group in raw["groups"]:
        prefix = "" if len(raw["groups"]) == 1 else group["name"] + " "
        found[prefix + "rps"] = group["requests_per_second"]
        for percentile in ("p50", "p99", "p99.9"):
            found[prefix + percentile] = group["latency_us"][percentile]
    return found


def medians(rounds):
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


def summarise(rounds_of):
    """{proxy: [figures of a round]} -> {proxy: {"median", "cpu_us_ratio": {peer: ...}, "rounds"}}."""
    summary = {}
    for proxy, rounds in rounds_of.items():
        ratios = {}
        for peer in PEERS:
            pairs = list(zip(rounds, rounds_of.get(peer, [])))
            if peer != proxy and pairs and "cpu_us" in rounds[0]:
                ratios[peer] = statistics.median(mine["cpu_us"] / its["cpu_us"] for mine, its in pairs)
        summary[proxy] = {"median": medians(rounds), "cpu_us_ratio": ratios, "rounds": rounds}
    return summary


COLUMNS = (("cpu_us", "CPU us/req", "%.2f"), ("user_us", "user us/req", "%.2f"), ("busy_percent", "busy %", "%.0f"),
           ("peak_rss_mib", "peak RSS MiB", "%.1f"), ("untouched_kib", "KiB/idle conn", "%.2f"),
           ("touched_kib", "KiB/touched conn", "%.2f"))
LOAD_COLUMNS = (("rps", "req/s", "%.0f"), ("p50", "p50 us", "%.0f"), ("p99", "p99 us", "%.0f"),
                ("p99.9", "p99.9 us", "%.0f"))


def columns_of(median):
    """(key, title, format) of the figures present, the load's after the proxy's."""
    chosen = [column for column in COLUMNS if column[0] in median]
    for prefix in [key[:-len("rps")] for key in median if key.endswith("rps")]:
        chosen += [(prefix + key, prefix + title, form) for key, title, form in LOAD_COLUMNS]
    return chosen


def table(summary):
    """The summary of one workload as Markdown."""
    # "direct" lacks the proxy's own figures; the columns are those of whoever has most.
    columns = columns_of(max((entry["median"] for entry in summary.values()), key=len))
    peers = [peer for peer in PEERS if any(peer in entry["cpu_us_ratio"] for entry in summary.values())]
    rows = [["proxy"] + [title for _, title, _ in columns] + ["x %s" % peer for peer in peers]]
    rows.append(["---"] + ["---:"] * (len(rows[0]) - 1))
    for proxy, entry in summary.items():
        row = [proxy]
        row += [form % entry["median"][key] if key in entry["median"] else "-" for key, _, form in columns]
        row += ["%.2f" % entry["cpu_us_ratio"][peer] if peer in entry["cpu_us_ratio"] else "-" for peer in peers]
        rows.append(row)
    return aligned(rows)


def aligned(rows):
    """Rows of cells as Markdown: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("| " + " | ".join(cell.rjust(width) if i else cell.ljust(width)
                                       for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows)
