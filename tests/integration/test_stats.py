"""What the statistics port says after known traffic, beside what the real nutcracker says after the same."""

import json
import socket

import pytest

from resp import encode_all, eventually

# Without "fragments", which twemproxy has and never counts.
POOL_FIELDS = ("client_eof", "client_err", "client_connections", "server_ejects", "forward_error")
SHARD_FIELDS = ("server_eof", "server_err", "server_timedout", "server_connections", "requests",
                "request_bytes", "responses", "response_bytes", "in_queue", "in_queue_bytes",
                "out_queue", "out_queue_bytes")


@pytest.fixture(scope="module")
def shards(module_lab):
    return module_lab.redis(2)


@pytest.fixture
def proxies(lab, shards):
    """A weir-proxy and a nutcracker before the same shards."""
    return (lab.proxy(shards, threads=1, hash="murmur"),
            lab.proxy(shards, program="nutcracker", flags=["-i", "50"], hash="murmur"))


def stats(proxy):
    with socket.create_connection(("127.0.0.1", proxy.stats_port), 10) as connection:
        text = b""
        while data := connection.recv(65536):
            text += data
    return json.loads(text)


def fields(proxy):
    """The pool's figures and those of its shards, the latter as "shard field"."""
    pool = stats(proxy)["pool"]
    found = {name: pool[name] for name in POOL_FIELDS}
    for shard in ("shard0", "shard1"):
        found.update({f"{shard} {name}": pool[shard][name] for name in SHARD_FIELDS})
    return found


def differences(proxies):
    ours, theirs = (fields(proxy) for proxy in proxies)
    return {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}


def assert_same(proxies):
    """twemproxy publishes its figures at intervals, so they are asked for until they agree."""
    assert eventually(lambda: not differences(proxies), seconds=5), differences(proxies)


def traffic(proxy):
    """One client's; the same for each proxy."""
    keys = [f"stats:{number}" for number in range(20)]
    with proxy.client() as client:
        for key in keys:
            client.pipeline(["SET", key, key], ["GET", key], ["INCR", key], ["APPEND", key, "x" * 1000])
        assert len(client.call("MGET", *keys)) == len(keys)
        assert client.call("DEL", *keys) == len(keys)
        assert client.call("MGET", keys[0]) == [None]


def test_the_same_traffic_gives_twemproxys_figures(proxies):
    for proxy in proxies:
        traffic(proxy)
    assert_same(proxies)
    assert all(fields(proxies[0])[f"shard{i} requests"] > 10 for i in range(2))
    assert stats(proxies[0])["pool"]["fragments"] == 4  # of the MGET and the DEL over both shards


def test_requests_that_wait_for_a_shard_are_in_twemproxys_queues(proxies, shards):
    clients = [proxy.client() for proxy in proxies]
    for client in clients:
        assert client.call("SET", "key", "value") == "OK"
    holder = next(shard for shard in shards if shard.call("EXISTS", "key"))
    holder.pause()
    for client in clients:
        client.send(encode_all(*[["GET", "key"]] * 5))
    queue = f"shard{shards.index(holder)} out_queue"
    assert eventually(lambda: fields(proxies[0])[queue] == 5)
    assert_same(proxies)
    holder.resume()
    for client in clients:
        assert [client.read() for _ in range(5)] == [b"value"] * 5
        client.close()
    assert_same(proxies)
