"""Which shard a key is on, as the shards themselves see it."""

import itertools


def shard_of(servers, key):
    """The index of the only server that has the key; None if none has."""
    holders = [i for i, server in enumerate(servers) if server.call("EXISTS", key) == 1]
    assert len(holders) <= 1, f"{key} is on servers {holders}"
    return holders[0] if holders else None


def keys_by_shard(client, servers, count=1, prefix="key"):
    """A list of `count` keys for each server. All are set, through `client`, to their own names."""
    found = [[] for _ in servers]
    for number in itertools.count():
        assert number < 1000 + 100 * count, "a shard gets no keys"
        key = f"{prefix}:{number}"
        assert client.call("SET", key, key) == "OK"
        shard = shard_of(servers, key)
        assert shard is not None, f"no server has {key}"
        if len(found[shard]) < count:
            found[shard].append(key)
        if all(len(keys) == count for keys in found):
            return found
