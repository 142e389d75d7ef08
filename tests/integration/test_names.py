"""Shards that are given by host name, and whose name comes to stand for another address."""

from own_network import in_own_network, set_hosts
from processes import RedisServer
from resp import eventually

PORT = 6379
NEVER = {"resolve_interval": 0}  # but at the start and after a connection failed


def shard_at(lab, address):
    shard = RedisServer(f"redis-{address}", bind=address, port=PORT)
    lab.servers.append(shard)
    return shard.start()


def proxy_by_name(lab, **keys):
    return lab.proxy([f"shard.test:{PORT}:1 shard"], **keys)


@in_own_network
def test_a_shard_that_comes_back_elsewhere_is_found_at_its_names_new_address(lab):
    set_hosts(**{"shard.test": ["127.0.0.2"]})
    before = shard_at(lab, "127.0.0.2")
    proxy = proxy_by_name(lab, **NEVER)
    with proxy.client() as client:
        assert client.call("SET", "key", "before") == "OK"
        assert before.call("GET", "key") == b"before"
        set_hosts(**{"shard.test": ["127.0.0.3"]})
        after = shard_at(lab, "127.0.0.3")
        for _ in range(20):
            assert client.call("GET", "key") == b"before"  # nothing has asked for the name again
        before.kill()
        assert eventually(lambda: client.call("SET", "key", "after") == "OK")
        assert after.call("GET", "key") == b"after"


@in_own_network
def test_after_the_interval_the_next_connection_goes_to_the_names_new_address(lab):
    set_hosts(**{"shard.test": ["127.0.0.2"]})
    before, after = shard_at(lab, "127.0.0.2"), shard_at(lab, "127.0.0.3")
    proxy = proxy_by_name(lab, resolve_interval=1000)
    with proxy.client() as client:
        assert client.call("SET", "key", "before") == "OK"
        set_hosts(**{"shard.test": ["127.0.0.3"]})
        assert eventually(lambda: "address=127.0.0.3:6379" in proxy.log(), 30)
        # A connection that works is kept: the old address still serves.
        assert client.call("GET", "key") == b"before"
        assert before.call("CLIENT", "KILL", "TYPE", "normal") >= 1
        assert eventually(lambda: client.call("SET", "key", "after") == "OK")
        assert after.call("GET", "key") == b"after"
        assert before.call("GET", "key") == b"before"
        assert eventually(lambda: before.clients() == [])


@in_own_network
def test_several_addresses_of_a_name_are_tried_in_turn(lab):
    set_hosts(**{"shard.test": ["127.0.0.2", "127.0.0.3"]})
    second = shard_at(lab, "127.0.0.3")  # nothing listens at the first
    proxy = proxy_by_name(lab, **NEVER)
    with proxy.client() as client:
        assert eventually(lambda: client.call("SET", "key", "value") == "OK")
        assert second.call("GET", "key") == b"value"
        second.kill()
        first = shard_at(lab, "127.0.0.2")
        assert eventually(lambda: client.call("SET", "key", "there") == "OK")
        assert first.call("GET", "key") == b"there"


@in_own_network
def test_a_name_that_is_not_known_yet_is_served_once_it_is(lab):
    set_hosts()
    shard = shard_at(lab, "127.0.0.2")
    proxy = proxy_by_name(lab, resolve_interval=1000)
    with proxy.client() as client:
        assert "ERR" in client.call("SET", "key", "value")
        set_hosts(**{"shard.test": ["127.0.0.2"]})
        assert eventually(lambda: client.call("SET", "key", "value") == "OK", 30)
        assert shard.call("GET", "key") == b"value"
