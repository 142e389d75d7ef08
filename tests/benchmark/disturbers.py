"""Clients and shards that behave badly beside a measured load, for tests/benchmark/neighbours; reloads.py has another.

Each disturber is a function that misbehaves once, for a second at most; `Disturbance` begins one each second
in a thread until its `with` block ends. A proxy may end a disturber's connection: the next turn makes another.
"""

import os
import sys
import threading
import time

import processes

sys.path.insert(0, str(processes.ROOT / "tests" / "integration"))
import resp  # noqa: E402  pylint: disable=wrong-import-position

MIB = 1 << 20
PERIOD_SECONDS = 1


class Sizes:
    """How much the disturbers ask for."""

    def __init__(self, smoke):
        self.gets = 30 if smoke else 300
        self.huge = (8 if smoke else 64) * MIB
        self.slow_bytes_per_second = 32 * MIB
        self.connects_per_second = 2000
        self.sleep_seconds = 0.05 if smoke else 0.1


def address_of(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


class Place:
    """Where to misbehave: the proxy, and a shard that holds the key `slow_key`."""

    def __init__(self, proxy, slow_shard, slow_key, sizes):
        self.proxy = address_of(proxy.targets[0])
        self.slow_shard = slow_shard
        self.slow_key = slow_key
        self.sizes = sizes


def never_reads(place, stop):
    """A pipeline of GETs of 1 MiB, of which nothing is read."""
    with resp.Client(place.proxy) as client:
        client.send(resp.encode_all(*[["GET", "disturber:mib"]] * place.sizes.gets))
        stop.wait(PERIOD_SECONDS)


def stalls_in_a_set(place, stop):
    """Half of a huge SET, then nothing."""
    half = b"x" * (place.sizes.huge // 2)
    with resp.Client(place.proxy) as client:
        client.send(b"*3\r\n$3\r\nSET\r\n$14\r\ndisturber:half\r\n$%d\r\n" % place.sizes.huge)
        client.send(half)
        stop.wait(PERIOD_SECONDS)


def reads_slowly(place, stop):
    """A GET of a huge value, read in small pieces for a second; then it leaves."""
    piece = 64 << 10
    end = time.monotonic() + PERIOD_SECONDS
    with resp.Client(place.proxy) as client:
        client.send(resp.encode("GET", "disturber:huge"))
        left = place.sizes.huge
        while left > 0 and time.monotonic() < end and not stop.wait(piece / place.sizes.slow_bytes_per_second):
            data = client.sock.recv(piece)
            if not data:
                return
            left -= len(data)


def slow_commands(place, stop):
    """Two slow commands in a pipeline, given to a shard directly, and a client that waits behind them."""
    with resp.Client(place.slow_shard) as direct, resp.Client(place.proxy) as client:
        direct.send(resp.encode_all(*[["DEBUG", "SLEEP", place.sizes.sleep_seconds]] * 2))
        client.send(resp.encode_all(*[["GET", place.slow_key]] * 20))
        for _ in range(2):
            if direct.read() != "OK":
                raise processes.Failed("DEBUG SLEEP is refused")
        stop.wait(max(0, PERIOD_SECONDS - 2 * place.sizes.sleep_seconds))


def connects(place, stop):
    """Connections at a steady rate; each asks for one thing and leaves."""
    begun = time.monotonic()
    for number in range(place.sizes.connects_per_second * PERIOD_SECONDS):
        due = begun + number / place.sizes.connects_per_second
        if stop.wait(max(0, due - time.monotonic())):
            return
        with resp.Client(place.proxy) as client:
            client.call("PING")


class Disturbance:
    """Repeats disturber(disturbed, stop) on the load's CPUs from `with` to its end. `turns`: how often it was begun."""

    def __init__(self, disturber, disturbed, cpus):
        self._disturber = disturber
        self._disturbed = disturbed
        self._cpus = cpus
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure = None
        self.turns = 0

    def _run(self):
        os.sched_setaffinity(0, self._cpus)  # of this thread alone
        while not self._stop.is_set():
            self.turns += 1
            end = time.monotonic() + PERIOD_SECONDS
            try:
                self._disturber(self._disturbed, self._stop)
            except (resp.Closed, OSError):  # the proxy had enough of it
                pass
            except processes.Failed as failure:
                self._failure = failure
                return
            # As often, whoever ends it.
            self._stop.wait(max(0.01, end - time.monotonic()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure


def preload(proxy, sizes):
    """Sets the values that disturbers ask for."""
    with resp.Client(address_of(proxy.targets[0]), seconds=60) as client:
        for key, size in (("disturber:mib", MIB), ("disturber:huge", sizes.huge)):
            if client.call("SET", key, b"x" * size) != "OK":
                raise processes.Failed("%s: cannot preload %s" % (proxy.name, key))


def find_slow_shard(proxy, shards, measured_key):
    """(address, key): a shard without `measured_key`, and a key on it, which is set."""
    with resp.Client(address_of(proxy.targets[0])) as client:
        for key in ("disturber:%d" % number for number in range(1000)):
            client.call("SET", key, "x")
            for address in map(address_of, shards.addresses):
                with resp.Client(address) as shard:
                    if shard.pipeline(["EXISTS", key], ["EXISTS", measured_key]) == [1, 0]:
                        return address, key
    raise processes.Failed("no shard is free of the measured load")
