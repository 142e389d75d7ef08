"""The statistics port: twemproxy's fields with twemproxy's values, after the same traffic."""

import pytest

import resp


def settle(proxy, condition):
    """What the port says, once `condition` holds of it: nutcracker adds up at an interval."""
    said = {}

    def holds():
        said.update(proxy.stats())
        return condition(said)

    assert resp.eventually(holds, 10), said
    return said


@pytest.fixture(params=["weir-proxy", "nutcracker"])
def proxy(request, lab):
    servers = lab.redis(2)
    if request.param == "weir-proxy":
        made = lab.proxy(servers, hash="md5")
    else:
        made = lab.proxy(servers, hash="md5", program="nutcracker",
                         flags=["-i", "50", "-o", "log", "-v", "4"])
    made.shards = servers
    return made


def shards_of(said):
    return [said["pool"][f"shard{i}"] for i in range(2)]


def total(said, field):
    return sum(shard[field] for shard in shards_of(said))


def test_requests_and_bytes_are_counted_per_server(proxy):
    requests = [("SET", f"key:{i}", "x" * i) for i in range(100)]
    requests += [("GET", f"key:{i}") for i in range(100)]
    with proxy.client() as client:
        for request in requests:
            client.call(*request)
        said = settle(proxy, lambda said: total(said, "responses") == 200)
    assert total(said, "requests") == 200
    assert total(said, "request_bytes") == sum(len(resp.encode(*request)) for request in requests)
    replies = 100 * len("+OK\r\n") + sum(len(f"${i}\r\n") + i + 2 for i in range(100))
    assert total(said, "response_bytes") == replies
    held = [server.call("DBSIZE") for server in proxy.shards]
    assert [shard["requests"] for shard in shards_of(said)] == [2 * count for count in held]
    for shard in shards_of(said):
        for field in ("in_queue", "in_queue_bytes", "out_queue", "out_queue_bytes", "server_eof",
                      "server_err", "server_timedout", "server_ejected_at"):
            assert shard[field] == 0, field
    for field in ("client_err", "server_ejects", "forward_error"):
        assert said["pool"][field] == 0, field


def test_every_socket_is_a_connection(proxy):
    # The listening socket; who looked whether it serves is gone.
    before = settle(proxy, lambda said: said["pool"]["client_eof"] == 1)
    assert before["curr_connections"] == 1
    clients = [proxy.client() for _ in range(3)]
    for i in range(100):
        clients[0].call("GET", f"key:{i}")
    said = settle(proxy, lambda said: said["pool"]["client_connections"] == 3
                  and total(said, "server_connections") == 2)
    assert said["curr_connections"] == 1 + 3 + 2
    assert said["total_connections"] == 1 + 1 + 3 + 2
    for client in clients:
        client.close()
    said = settle(proxy, lambda said: said["pool"]["client_connections"] == 0)
    assert said["pool"]["client_eof"] == 1 + 3
    assert said["curr_connections"] == 1 + 2
    assert said["total_connections"] == 1 + 1 + 3 + 2


def test_a_server_that_goes_away_is_an_eof_and_then_forward_errors(proxy):
    with proxy.client() as client:
        for i in range(100):
            client.call("GET", f"key:{i}")
        settle(proxy, lambda said: total(said, "responses") == 100)
        for server in proxy.shards:
            server.kill()
        said = settle(proxy, lambda said: total(said, "server_connections") == 0)
        assert total(said, "server_eof") == 2
        assert isinstance(client.call("GET", "key:1"), resp.Error)
        said = settle(proxy, lambda said: said["pool"]["forward_error"] == 1)
        assert total(said, "server_err") >= 1


def test_info_counts_the_clients_of_all_workers(lab):
    """It once told of those of the asking client's worker only."""
    proxy = lab.proxy(lab.redis(1), threads=3)
    clients = [proxy.client() for _ in range(10)]
    for client in clients:
        client.call("PING")
    said = [client.call("INFO", "clients").decode().splitlines() for client in clients]
    assert ["connected_clients:10" in lines for lines in said] == [True] * 10
    for client in clients:
        client.close()


# --- Beside the real nutcracker, after the same traffic ---

# Without "fragments", which twemproxy has and never counts.
POOL_FIELDS = ("client_eof", "client_err", "client_connections", "server_ejects", "forward_error")
SHARD_FIELDS = ("server_eof", "server_err", "server_timedout", "server_connections", "requests",
                "request_bytes", "responses", "response_bytes", "in_queue", "in_queue_bytes",
                "out_queue", "out_queue_bytes")


@pytest.fixture
def shards(lab):
    return lab.redis(2)


@pytest.fixture
def proxies(lab, shards):
    """A weir-proxy and a nutcracker before the same shards."""
    return (lab.proxy(shards, threads=1, hash="murmur"),
            lab.proxy(shards, program="nutcracker", flags=["-i", "50"], hash="murmur"))


def fields(proxy):
    """The pool's figures and those of its shards, the latter as "shard field"."""
    pool = proxy.stats()["pool"]
    found = {name: pool[name] for name in POOL_FIELDS}
    for shard in ("shard0", "shard1"):
        found.update({f"{shard} {name}": pool[shard][name] for name in SHARD_FIELDS})
    return found


def differences(proxies):
    ours, theirs = (fields(proxy) for proxy in proxies)
    return {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}


def assert_same(proxies):
    """twemproxy publishes its figures at intervals, so they are asked for until they agree."""
    assert resp.eventually(lambda: not differences(proxies), seconds=5), differences(proxies)


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
    assert proxies[0].stats()["pool"]["fragments"] == 4  # of the MGET and the DEL over both shards


def test_requests_that_wait_for_a_shard_are_in_twemproxys_queues(proxies, shards):
    clients = [proxy.client() for proxy in proxies]
    for client in clients:
        assert client.call("SET", "key", "value") == "OK"
    holder = next(shard for shard in shards if shard.call("EXISTS", "key"))
    holder.pause()
    for client in clients:
        client.send(resp.encode_all(*[["GET", "key"]] * 5))
    queue = f"shard{shards.index(holder)} out_queue"
    assert resp.eventually(lambda: fields(proxies[0])[queue] == 5)
    assert_same(proxies)
    holder.resume()
    for client in clients:
        assert [client.read() for _ in range(5)] == [b"value"] * 5
        client.close()
    assert_same(proxies)
