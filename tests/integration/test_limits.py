"""Memory, queues and connections stay within their limits whatever clients do."""

import threading
import time

import pytest

from placement import keys_by_shard
from resp import Client, Closed, Error, connect, encode, encode_all, eventually

MIB = 1 << 20


@pytest.fixture(scope="module")
def shards(module_lab):
    return module_lab.redis(2)


class PeakMemory:
    """The most memory that a process had, as growth since the beginning of the `with`."""

    def __init__(self, proxy):
        self._proxy = proxy
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = proxy.memory()
        self._most = self.before

    def _watch(self):
        while not self._done.wait(0.005):
            self._most = max(self._most, self._proxy.memory())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._done.set()
        self._thread.join()
        self._most = max(self._most, self._proxy.memory())

    @property
    def growth(self):
        return max(self._most, self._proxy.memory()) - self.before


def warm_up(proxy):
    """Connections made and pools of buffers filled, so that only what a test does is measured."""
    with proxy.client() as client:
        client.pipeline(*[["SET", f"warm{i}", "x" * 1000] for i in range(500)])
        client.pipeline(*[["GET", f"warm{i}"] for i in range(500)])


def serves(client, count=200):
    """Whether these requests, one after the other, are answered; returns the slowest, in seconds."""
    slowest = 0
    for i in range(count):
        begun = time.monotonic()
        assert client.pipeline(["SET", f"other{i}", i], ["GET", f"other{i}"]) == \
            ["OK", b"%d" % i]
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


def send_what_goes(sock, data, seconds):
    """Sends until all is sent, nothing goes any more, or the other side closes."""
    sock.settimeout(seconds)
    try:
        sock.sendall(data)
    except OSError:
        pass


def test_300_gets_of_1_mib_by_a_client_that_never_reads_take_little_memory(lab, shards):
    proxy = lab.proxy(shards)
    warm_up(proxy)
    with proxy.client() as client:
        assert client.call("SET", "mib", "x" * MIB) == "OK"
        with PeakMemory(proxy) as memory:
            silent = connect(proxy.address)
            send_what_goes(silent, encode_all(*[["GET", "mib"]] * 300), 1)
            assert serves(client, 500) < 5
        assert memory.growth <= 64 * MIB, f"{memory.growth / MIB:.1f} MiB"
        silent.close()
        assert eventually(lambda: proxy.memory() - memory.before <= 16 * MIB), \
            f"{(proxy.memory() - memory.before) / MIB:.1f} MiB stay"


def test_a_client_that_reads_slowly_gets_all_300_values_of_1_mib(lab, shards):
    proxy = lab.proxy(shards)
    with proxy.client(seconds=30) as client:
        assert client.call("SET", "mib", "y" * MIB) == "OK"
        warm_up(proxy)
        with PeakMemory(proxy) as memory:
            client.send(encode_all(*[["GET", "mib"]] * 300))
            for _ in range(300):
                assert client.read() == b"y" * MIB
        assert memory.growth <= 64 * MIB, f"{memory.growth / MIB:.1f} MiB"


def test_memory_returns_after_bursts(lab, shards):
    proxy = lab.proxy(shards)
    warm_up(proxy)
    before = proxy.memory()
    values = ["x" * 100_000] * 100
    for _ in range(3):
        clients = [proxy.client(seconds=30) for _ in range(50)]
        for number, client in enumerate(clients):
            client.send(encode_all(*[["SET", f"burst{number}", value] for value in values[:20]]))
            client.send(encode_all(*[["GET", f"burst{number}"]] * 20))
        for client in clients:
            assert [client.read() for _ in range(20)] == ["OK"] * 20
            assert all(len(client.read()) == 100_000 for _ in range(20))
            client.close()
    assert eventually(lambda: proxy.memory() - before <= 16 * MIB), \
        f"{(proxy.memory() - before) / MIB:.1f} MiB stay"


def test_idle_sessions_take_little_memory(lab, shards):
    proxy = lab.proxy(shards)
    warm_up(proxy)
    before = proxy.memory()
    clients = [proxy.client() for _ in range(1000)]
    assert all(client.call("SET", "idle", "x") == "OK" for client in clients)
    growth = proxy.memory() - before
    for client in clients:
        client.close()
    assert growth <= 1000 * 8192, f"{growth / 1000:.0f} bytes each"


def test_a_client_that_stalls_in_the_middle_of_a_set_disturbs_nobody(lab, shards):
    proxy = lab.proxy(shards, timeout=2000)
    with proxy.client() as client:
        key = keys_by_shard(client, shards)[0][0]
        whole = encode("SET", key, "z" * (4 * MIB))
        stalled = [proxy.client() for _ in range(5)]
        for it in stalled:
            send_what_goes(it.sock, whole[:2 * MIB], 1)
        assert serves(client) < 2
        assert client.call("GET", key) == key.encode()
        for it in stalled[:2]:  # these go on after all
            it.sock.settimeout(10)
            it.send(whole[2 * MIB:])
            assert it.read() == "OK"
        for it in stalled:
            it.close()
        assert client.call("STRLEN", key) == 4 * MIB
        assert serves(client) < 2


@pytest.mark.parametrize("size", [100_000, 262_144, 300_000, 5 * MIB])
def test_large_values_keep_their_place_among_small_requests(lab, shards, size):
    with lab.proxy(shards).client(seconds=30) as client:
        value = b"ab" * (size // 2)
        answers = client.pipeline(["SET", "small", "1"], ["SET", "large", value], ["GET", "small"],
                                  ["APPEND", "large", "!"], ["GET", "large"], ["GET", "small"],
                                  ["MGET", "small", "large", "none"])
        assert answers == ["OK", "OK", b"1", size + 1, value + b"!", b"1",
                           [b"1", value + b"!", None]]


def sink(client, expected, chunk=1 << 20):
    """Reads `expected` bytes that are all 'v', without keeping them."""
    block = b"v" * chunk
    while expected:
        data = client.sock.recv(min(chunk, expected))
        assert data, "closed in mid-value"
        assert data == block[:len(data)]
        expected -= len(data)


def test_a_value_of_512_mib_passes_with_little_memory(lab):
    size = 512 * MIB
    proxy = lab.proxy(lab.redis(1))
    warm_up(proxy)
    with Client(proxy.address, seconds=60) as client, PeakMemory(proxy) as memory:
        client.send(b"*3\r\n$3\r\nSET\r\n$5\r\ngiant\r\n$%d\r\n" % size)
        block = b"v" * MIB
        for _ in range(size // MIB):
            client.send(block)
        client.send(b"\r\n")
        assert client.read() == "OK"
        assert client.call("STRLEN", "giant") == size
        client.send(encode("GET", "giant"))
        header = b"$%d\r\n" % size
        assert client.sock.recv(len(header), 0x100) == header  # MSG_WAITALL
        sink(client, size)
        assert client.sock.recv(2, 0x100) == b"\r\n"
        assert client.call("DEL", "giant") == 1
    assert memory.growth <= 64 * MIB, f"{memory.growth / MIB:.1f} MiB"


def test_a_client_that_reads_a_huge_value_slowly_disturbs_nobody(lab, shards):
    proxy = lab.proxy(shards)
    shards[0].call("SET", "x", "")  # both shards are there
    with proxy.client(seconds=30) as client, Client(proxy.address, seconds=30) as slow:
        size = 24 * MIB
        assert client.call("SET", "huge", b"v" * size) == "OK"
        slow.send(encode("GET", "huge"))
        assert slow.sock.recv(1000)
        assert serves(client) < 5
        rest = size + len(b"$%d\r\n\r\n" % size) - 1000
        while rest:
            data = slow.sock.recv(MIB)
            assert data, "closed in mid-value"
            rest -= len(data)
        assert slow.is_open()


def test_a_merged_reply_over_the_limit_is_one_error(lab, shards):
    proxy = lab.proxy(shards, session_output_limit=MIB)
    with proxy.client(seconds=30) as client:
        keys = [key for group in keys_by_shard(client, shards, count=3) for key in group]
        for key in keys:
            assert client.call("SET", key, "x" * 400_000) == "OK"
        answers = client.pipeline(["MGET", *keys], ["PING"])
        assert isinstance(answers[0], Error) and answers[1] == "PONG", answers


def test_client_connections_caps_the_pool(lab, shards):
    proxy = lab.proxy(shards, client_connections=5)
    clients = []
    assert eventually(lambda: proxy.client().is_open())
    kept = []

    def knock():
        client = proxy.client()
        if client.is_open():
            kept.append(client)
        else:
            clients.append(client)
        return clients

    assert eventually(knock)
    assert 3 <= len(kept) <= 5
    assert all(client.is_open() for client in kept)
    kept.pop().close()
    assert eventually(lambda: (lambda client: client.is_open())(proxy.client()))


def test_a_request_over_the_limit_ends_its_own_session_only(lab, shards):
    proxy = lab.proxy(shards, max_request=300_000, threads=1)
    for _ in range(3):
        with proxy.client() as client:
            client.send(b"*1000000\r\n$4\r\nMSET\r\n")
            send_what_goes(client.sock, encode_all(*[["x" * 100]] * 20_000), 5)
            try:
                assert isinstance(client.read(), Error)
                assert client.read_until_closed() == b""
            except (Closed, ConnectionError):
                pass  # the error was lost because much was still on its way
        with proxy.client() as client:
            assert client.call("PING") == "PONG"
