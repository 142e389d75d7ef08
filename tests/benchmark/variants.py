"""Variants of weir-proxy, such as "weir+2workers": the same program measured otherwise, beside the plain one."""

TWO_WORKERS = "2workers"  # two workers and twice the connections
RELOADS = "reloads"  # the list of its shards changes about nine times a second
ALL = (TWO_WORKERS, RELOADS)


def program(name):
    """The "weir" of "weir+reloads", and of "weir"."""
    return name.partition("+")[0]


def variant(name):
    """The "reloads" of "weir+reloads"; "" of "weir"."""
    return name.partition("+")[2]


def workers(name):
    return 2 if variant(name) == TWO_WORKERS else 1


def load(groups, name):
    """The groups of a workload as `name` gets them: each worker has the same number of connections."""
    return [{**group, "connections": group["connections"] * workers(name)} for group in groups]
