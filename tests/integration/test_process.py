"""The process and its system: signals that end it, addresses, options of sockets."""

import signal
import subprocess
import threading

import pytest

from own_network import in_own_network
from placement import keys_by_shard
from processes import PORTS
from resp import Closed, connect, encode, eventually


# --- The end ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_a_signal_to_end_lets_the_request_in_flight_be_answered_and_exits_with_0(lab, number):
    asked, answer = threading.Event(), threading.Event()

    def hold(connection, args):
        if args[0] == b"GET":
            asked.set()
            answer.wait(30)
        return None

    proxy = lab.proxy([lab.fake(hold)])
    with proxy.client() as client:
        assert client.call("SET", "k", "value") == "OK"
        client.send(encode("GET", "k"))
        assert asked.wait(10)
        proxy.signal(number)
        assert eventually(lambda: not accepts(proxy.address))
        answer.set()
        assert client.read() == b"value"
        with pytest.raises(Closed):
            client.read()
    proxy.assert_ends()


def accepts(address):
    try:
        connect(address).close()
        return True
    except OSError:
        return False


# --- Addresses ---


@in_own_network  # where ::1 is there, also in containers without IPv6
def test_ipv6_listener_shards_and_statistics(lab):
    shards = lab.redis(2, bind="::1")
    bare, bracketed = (shard.port for shard in shards)
    proxy = lab.proxy([f"::1:{bare}:1 bare", f'"[::1]:{bracketed}:1 bracketed"'], host="::1")
    with proxy.client() as client:
        keys = sum(keys_by_shard(client, shards, count=10), [])
        assert client.call("MGET", *keys) == [key.encode() for key in keys]
        said = proxy.stats()["pool"]
    assert said["client_connections"] == 1
    assert said["bare"]["requests"] > 0 and said["bracketed"]["requests"] > 0


# --- Options of sockets ---


def has_keepalive_timer(proxy, client):
    """Whether the kernel will probe the proxy's side of this client's connection."""
    host, port = client.sock.getsockname()
    said = subprocess.run(
        ["ss", "-Htno", f"sport = :{proxy.port} and dst = {host} and dport = :{port}"],
        check=True, capture_output=True, text=True).stdout
    assert said.count("\n") == 1, said
    return "timer:(keepalive," in said


@pytest.mark.parametrize("wanted", [True, False])
def test_tcpkeepalive_is_for_connections_of_clients(lab, wanted):
    proxy = lab.proxy([lab.fake()], tcpkeepalive=wanted)
    with proxy.client() as client:
        assert client.call("SET", "k", "v") == "OK"
        assert eventually(lambda: has_keepalive_timer(proxy, client) == wanted)


def test_preconnect_connects_to_every_shard_before_a_request(lab):
    threads, each = 2, 3
    shards = lab.redis(2)
    lab.proxy(shards, threads=threads, server_connections=each, preconnect=True)
    for shard in shards:
        assert eventually(lambda shard=shard: len(shard.clients()) == threads * each)


def test_without_preconnect_the_first_request_connects(lab):
    shard, = lab.redis(1)
    with lab.proxy([shard]).client() as client:
        assert client.call("PING") == "PONG"
        assert shard.clients() == []
        assert client.call("SET", "k", "v") == "OK"
        assert len(shard.clients()) == 1


def sessions_so_far(proxy):
    return proxy.stats()["total_connections"]


def test_reuseport_lets_two_proxies_listen_on_one_address(lab):
    shards = lab.redis(1)
    first = lab.proxy(shards, reuseport=True)
    second = lab.proxy(shards, reuseport=True, port=first.port)
    # What answers at the address may still be the first alone.
    assert eventually(lambda: accepts((second.address[0], second.stats_port)))
    before = [sessions_so_far(proxy) for proxy in (first, second)]

    def both_were_met():
        with first.client() as client:
            assert client.call("SET", "k", "v") == "OK"
        return all(sessions_so_far(proxy) > count
                   for proxy, count in zip((first, second), before))

    assert eventually(both_were_met)
    first.stop()
    with second.client() as client:
        assert client.pipeline(["GET", "k"], ["PING"]) == [b"v", "PONG"]


def test_without_reuseport_the_address_is_taken(lab):
    first = lab.proxy(lab.redis(1))
    second = subprocess.run(
        [first.program, "-c", first.directory / "proxy.yml", "-s", str(PORTS.take())],
        capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1 and "Address already in use" in second.stderr, second
    with first.client() as client:
        assert client.call("PING") == "PONG"
