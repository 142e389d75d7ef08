"""Figures from the load generator's raw results: per round, medians, ratios, and the table of them.

A ratio is taken within each round, between runs that followed each other, and then the median of the
rounds: slow drifts of the machine cancel out. A variant is also compared with the plain proxy.
"""

import statistics

import variants

PEERS = ("tw", "tw-v4", "envoy")
PLAIN_FIGURES = ("cpu_us", "p50", "p99")


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
    """{proxy: [figures of a round]} -> {proxy: summary}, which has the "median" of each figure, all "rounds", the
    "cpu_us_ratio" to each peer and, of a variant, the "plain_ratio" of some figures."""
    summary = {}
    for proxy, rounds in rounds_of.items():
        plain = rounds_of.get(variants.program(proxy), []) if variants.variant(proxy) else []
        summary[proxy] = {
            "median": medians(rounds),
            "cpu_us_ratio": known({peer: ratio("cpu_us", rounds, rounds_of.get(peer, []))
                                   for peer in PEERS if peer != proxy}),
            "plain_ratio": known({key: ratio(key, rounds, plain) for key in PLAIN_FIGURES}),
            "rounds": rounds}
    return summary


def ratio(key, rounds, others):
    """The median of the rounds' ratios of a figure; None when there is none."""
    pairs = [(mine[key], its[key]) for mine, its in zip(rounds, others) if key in mine and key in its]
    return statistics.median(mine / its for mine, its in pairs) if pairs else None


def known(found):
    return {key: value for key, value in found.items() if value is not None}


COLUMNS = (("cpu_us", "CPU us/req", "%.2f"), ("user_us", "user us/req", "%.2f"), ("busy_percent", "busy %", "%.0f"),
           ("peak_rss_mib", "peak RSS MiB", "%.1f"), ("untouched_kib", "KiB/idle conn", "%.2f"),
           ("touched_kib", "KiB/touched conn", "%.2f"), ("reloads", "reloads", "%.0f"))
LOAD_COLUMNS = (("rps", "req/s", "%.0f"), ("p50", "p50 us", "%.0f"), ("p99", "p99 us", "%.0f"),
                ("p99.9", "p99.9 us", "%.0f"))
# (key of a summary, key in there, title)
RATIOS = (*(("cpu_us_ratio", peer, "x %s" % peer) for peer in PEERS), ("plain_ratio", "cpu_us", "CPU x plain"),
          ("plain_ratio", "p50", "p50 x plain"), ("plain_ratio", "p99", "p99 x plain"))


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
    shown = [(kind, key, title) for kind, key, title in RATIOS if any(key in entry[kind] for entry in summary.values())]
    rows = [["proxy"] + [title for _, title, _ in columns] + [title for _, _, title in shown]]
    rows.append(["---"] + ["---:"] * (len(rows[0]) - 1))
    for proxy, entry in summary.items():
        row = [proxy]
        row += [form % entry["median"][key] if key in entry["median"] else "-" for key, _, form in columns]
        row += ["%.2f" % entry[kind][key] if key in entry[kind] else "-" for kind, key, _ in shown]
        rows.append(row)
    return aligned(rows)


def aligned(rows):
    """Rows of cells as Markdown: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("| " + " | ".join(cell.rjust(width) if i else cell.ljust(width)
                                       for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows)
