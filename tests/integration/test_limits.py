"""Memory, queues and connections stay within their limits whatever clients do."""

import array
import fcntl
import select
import socket
import termios
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
        self.before = 0

    def __enter__(self):
        self._proxy.forget_peak_memory()
        self.before = self._proxy.memory()
        return self

    def __exit__(self, *exception):
        pass

    @property
    def growth(self):
        return self._proxy.peak_memory() - self.before

    def returns_to_16_mib(self):
        return eventually(lambda: self._proxy.memory() - self.before <= 16 * MIB)


def mib(size):
    return f"{size / MIB:.1f} MiB"


def warm_up(proxy):
    """Connections made and pools of buffers filled, so that only what a test does is measured."""
    with proxy.client() as client:
        client.pipeline(*[["SET", f"warm{i}", "x" * 1000] for i in range(500)])
        client.pipeline(*[["GET", f"warm{i}"] for i in range(500)])


def assert_serves(client, count=200):
    """These requests, one after the other, are answered, none later than the client's patience."""
    for i in range(count):
        assert client.pipeline(["SET", f"other{i}", i], ["GET", f"other{i}"]) == \
            ["OK", b"%d" % i]


def unread(sock):
    """How many bytes have come to a client that has not read them."""
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def send_what_goes(sock, data, seconds):
    """Sends until all is sent, nothing goes any more, or the other side closes."""
    sock.settimeout(seconds)
    try:
        sock.sendall(data)
    except OSError:
        pass


@pytest.mark.parametrize("threads", [1, 2])
def test_300_gets_of_1_mib_by_a_client_that_never_reads_take_little_memory(lab, shards, threads):
    proxy = lab.proxy(shards, threads=threads)
    warm_up(proxy)
    with proxy.client() as client:
        assert client.call("SET", "mib", "x" * MIB) == "OK"
        with PeakMemory(proxy) as memory:
            silent = connect(proxy.address)
            silent.sendall(encode_all(*[["GET", "mib"]] * 300))
            assert eventually(lambda: unread(silent) > 0)
            assert_serves(client, 500)
        assert memory.growth <= 64 * MIB, mib(memory.growth)
        silent.close()
        assert memory.returns_to_16_mib(), mib(proxy.memory() - memory.before)


def test_a_client_that_reads_slowly_gets_all_300_values_of_1_mib(lab, shards):
    proxy = lab.proxy(shards)
    with proxy.client(seconds=30) as client:
        assert client.call("SET", "mib", "y" * MIB) == "OK"
        warm_up(proxy)
        with PeakMemory(proxy) as memory:
            client.send(encode_all(*[["GET", "mib"]] * 300))
            for _ in range(300):
                assert client.read() == b"y" * MIB
        assert memory.growth <= 64 * MIB, mib(memory.growth)
        assert memory.returns_to_16_mib(), mib(proxy.memory() - memory.before)


def test_memory_returns_after_bursts(lab, shards):
    proxy = lab.proxy(shards)
    warm_up(proxy)
    value = b"x" * 100_000
    with PeakMemory(proxy) as memory:
        for _ in range(3):
            clients = [proxy.client(seconds=30) for _ in range(50)]
            for number, client in enumerate(clients):
                client.send(encode("SET", f"burst{number}", value))
                client.send(encode_all(*[["GET", f"burst{number}"]] * 100))
            # Nobody has read yet: what does not fit the sockets is in the proxy.
            assert eventually(lambda: memory.growth > 32 * MIB), mib(memory.growth)
            for client in clients:
                assert client.read() == "OK"
                assert all(client.read() == value for _ in range(100))
                client.close()
    assert memory.returns_to_16_mib(), mib(proxy.memory() - memory.before)


def test_memory_returns_after_large_requests_that_were_never_finished(lab, shards):
    proxy = lab.proxy(shards)
    warm_up(proxy)
    with PeakMemory(proxy) as memory:
        clients = [proxy.client(seconds=30) for _ in range(10)]
        for client in clients:
            client.send(b"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$%d\r\n" % (20 * MIB))
            client.send(b"x" * 10 * MIB)
        assert eventually(lambda: memory.growth > 64 * MIB), mib(memory.growth)
        for client in clients:
            client.close()
    assert memory.returns_to_16_mib(), mib(proxy.memory() - memory.before)


def test_requests_that_are_never_finished_stay_within_the_memory_limit(lab, shards):
    proxy = lab.proxy(shards, threads=1, flags=["--memory-limit", "64M"])
    warm_up(proxy)
    beginning = b"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$%d\r\n" % (30 * MIB)
    with PeakMemory(proxy) as memory:
        clients = [proxy.client(seconds=30) for _ in range(15)]
        for client in clients:
            send_what_goes(client.sock, beginning + b"x" * (20 * MIB), 30)
        # The limit, and one buffer that grows.
        assert memory.growth <= 100 * MIB, mib(memory.growth)
        assert "closed_by_memory_limit" in proxy.log()
        for client in clients:
            client.close()
        with proxy.client(seconds=30) as client:
            assert client.call("MSET", "a", b"x" * (20 * MIB), "b", "y") == "OK"
            assert client.call("DEL", "a", "b") == 2


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


def test_clients_that_stall_in_the_middle_of_a_set_of_64_mib_disturb_nobody(lab, shards):
    size = 64 * MIB
    proxy = lab.proxy(shards, timeout=2000, threads=1)
    warm_up(proxy)
    with proxy.client() as client, PeakMemory(proxy) as memory:
        key = keys_by_shard(client, shards)[0][0]
        stalled = [proxy.client(seconds=30) for _ in range(5)]
        for it in stalled:
            it.send(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(key), key.encode(), size))
            it.send(b"z" * (size // 2))
        assert_serves(client)
        assert client.call("GET", key) == key.encode()
        for it in stalled[:2]:  # these go on after all
            it.send(b"z" * (size // 2) + b"\r\n")
            assert it.read() == "OK"
        for it in stalled:
            it.close()
        assert client.call("STRLEN", key) == size
        assert client.call("DEL", key) == 1
        assert_serves(client)
        assert memory.growth <= 64 * MIB, mib(memory.growth)


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
        assert client.sock.recv(len(header), socket.MSG_WAITALL) == header
        sink(client, size)
        assert client.sock.recv(2, socket.MSG_WAITALL) == b"\r\n"
        assert client.call("DEL", "giant") == 1
    assert memory.growth <= 64 * MIB, mib(memory.growth)


@pytest.mark.parametrize("size", [24 * MIB, 64 * MIB])
def test_a_client_that_reads_a_huge_value_slowly_disturbs_nobody(lab, shards, size):
    proxy = lab.proxy(shards, threads=1)
    warm_up(proxy)
    with proxy.client(seconds=30) as client, Client(proxy.address, seconds=30) as slow:
        assert client.call("SET", "huge", b"v" * size) == "OK"
        with PeakMemory(proxy) as memory:
            slow.send(encode("GET", "huge"))
            header = b"$%d\r\n" % size
            assert slow.sock.recv(len(header), socket.MSG_WAITALL) == header
            assert_serves(client)
            sink(slow, size)
            assert slow.sock.recv(2, socket.MSG_WAITALL) == b"\r\n"
            assert slow.is_open()
        assert memory.growth <= 64 * MIB, mib(memory.growth)
        assert client.call("DEL", "huge") == 1


def test_a_reply_up_to_the_output_limit_passes_whoever_waits_behind_it(lab, shards):
    limit = 16 * MIB
    proxy = lab.proxy(shards, session_output_limit=limit, threads=1)
    with proxy.client(seconds=30) as client, proxy.client(seconds=30) as late:
        key, small = keys_by_shard(client, shards, count=2)[0]
        value = b"v" * (limit - 100)
        assert client.call("SET", key, value) == "OK"
        late.send(encode("GET", key))
        # On the same connection, behind it.
        assert client.pipeline(*[["GET", small]] * 100) == [small.encode()] * 100
        assert_serves(client)
        assert late.read() == value
        assert late.is_open()


def test_a_reply_that_its_client_leaves_half_read_is_given_up(lab, shards):
    proxy = lab.proxy(shards, progress_limit=100, threads=1)
    with proxy.client(seconds=30) as client:
        assert client.call("SET", "half", b"v" * (24 * MIB)) == "OK"
        before = proxy.descriptors()
        stuck = connect(proxy.address)
        stuck.sendall(encode("GET", "half"))
        assert eventually(lambda: unread(stuck) > 0)
        assert eventually(lambda: proxy.descriptors() <= before)
        stuck.close()
        assert client.call("DEL", "half") == 1


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
    assert "client_refused_for_client_connections" in proxy.log()
    kept.pop().close()
    assert eventually(lambda: (lambda client: client.is_open())(proxy.client()))


def send_to_all_what_goes(socks, data):
    """To many at a time, until nothing has gone for half a second."""
    sent = {sock: 0 for sock in socks}
    for sock in socks:
        sock.setblocking(False)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        _, writable, _ = select.select([], list(sent), [], 0.1)
        for sock in writable:
            try:
                sent[sock] += sock.send(data[sent[sock]:])
                until = time.monotonic() + 0.5
            except OSError:
                del sent[sock]
            if sent.get(sock) == len(data):
                del sent[sock]


def test_requests_queued_for_a_shard_that_takes_nothing_stay_within_the_memory_limit(lab):
    hung = socket.create_server(("127.0.0.1", 0))
    proxy = lab.proxy([f"127.0.0.1:{hung.getsockname()[1]}:1 hung"], threads=1,
                      flags=["--memory-limit", "64M"])
    with hung, proxy.client() as client, PeakMemory(proxy) as memory:
        clients = [connect(proxy.address) for _ in range(200)]
        send_to_all_what_goes(clients, encode_all(*[["SET", "k", "x" * 60_000]] * 30))
        assert memory.growth <= 80 * MIB, mib(memory.growth)
        assert client.call("PING") == "PONG"
        for one in clients:
            one.close()


def test_more_clients_than_open_files_leave_the_shards_their_connections(lab, shards):
    proxy = lab.proxy(shards, open_files=60, threads=1, auto_eject_hosts=True,
                      server_failure_limit=1)
    kept = [proxy.client()]
    assert eventually(lambda: kept[-1].is_open() and kept.append(proxy.client()) or
                      not kept[-1].is_open())
    with kept[0] as client:
        for i in range(20):
            # Over a shared connection, and over a lease.
            assert client.call("SET", f"key{i}", "small") == "OK"
            assert client.call("SET", f"key{i}", "x" * 300_000) == "OK"
    assert "client_refused_for_open_files" in proxy.log()
    assert "connect_failed" not in proxy.log()
    assert "shard_ejected" not in proxy.log()


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
