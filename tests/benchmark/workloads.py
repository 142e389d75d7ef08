"""The entries of workloads.json: which of them are measured, with which proxies, and how small for a smoke test."""

import variants


class Unknown(Exception):
    """There is no workload of that name; the text says which there are."""


def choose(entries, names, smoke):
    """{name: workload} of `names` (None: all), each with what it takes from the one that it is "like"."""
    for name in names or ():
        if name not in entries:
            raise Unknown("no such workload: %s (workloads.json has %s)" % (name, ", ".join(entries)))
    chosen = {}
    for name in names or entries:
        entry = entries[name]
        workload = {**entries.get(entry.get("like"), {}), **entry}
        groups = workload["groups"]
        chosen[name] = {**workload, "groups": [shrunk(group) for group in groups] if smoke else groups}
    return chosen


def shrunk(group):
    """`group` cut down to what shows within half a second that everything works."""
    limits = {"connections": 50 if group.get("idle") else 10, "keys": 200, "rate": 2000}
    full = {"keys": limits["keys"], **group}
    return {key: min(value, limits[key]) if key in limits else value for key, value in full.items()}


def proxies_of(workload, chosen, weirs):
    """Those of the `chosen` proxies that the workload is for; the plain ones of `weirs` with its variants."""
    found = []
    for name in chosen:
        if variants.program(name) in weirs:
            found.append(name)
            found += ["%s+%s" % (name, one) for one in workload.get("variants", []) if not variants.variant(name)]
        elif name in workload.get("proxies", chosen):
            found.append(name)
    return list(dict.fromkeys(found))
