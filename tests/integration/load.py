"""A bounded load whose every reply is checked.

Each writer has keys of its own; a value says which key it is for, which of its writes it is and how
long it must be. What a key may hold is therefore known: the last acknowledged value, or one of a
later write that failed (an error on a write leaves open whether it took effect). A key whose shard
is ejected goes to another one and back; until that is `settled`, older values may be read.
"""

import math
import random
import threading
import time

import resp

BATCH = 8
PAUSE_SECONDS = 0.002  # between two batches of a writer: a load, not a race for the machine
SMALL = [0, 10, 200, 3000]  # padding of a value, in bytes
# Replies that are passed on in pieces, requests beyond `large_request` and replies beyond 1 MiB.
LARGE = SMALL * 5 + [20_000, 20_000, 300_000, 1_200_000]


class _Key:
    def __init__(self):
        self.acknowledged = 0
        self.earlier = set()
        self.uncertain = set()
        self.settled_at = -1  # the last write that may be on another shard than the key is now

    def acknowledge(self, sequence):
        self.earlier.add(self.acknowledged)
        self.acknowledged = sequence

    def sent(self):
        """Every write that any shard may hold."""
        return {self.acknowledged} | self.earlier | self.uncertain

    def readable(self):
        """What a shard may answer; None is for nothing."""
        if self.acknowledged > self.settled_at:
            return self.allowed()
        return {None} | self.sent()

    def allowed(self):
        """The latest write that was acknowledged, and those after it that may have taken effect."""
        return {self.acknowledged} | {it for it in self.uncertain if it > self.acknowledged}


class _Writer(threading.Thread):
    def __init__(self, load, number, keys):
        super().__init__(daemon=True)
        self.load = load
        self.random = random.Random(number)
        self.keys = {f"load:{number}:{i}": _Key() for i in range(keys)}
        self.sequence = 0
        self.batches = 0
        self.failure = None

    def run(self):
        try:
            primed = False
            while not self.load.stopping.is_set():
                with resp.Client(self.load.address, seconds=30) as client:
                    if not primed:
                        self._prime(client)
                        primed = True
                    self._batches_until_closed(client)
        except Exception as failure:  # pylint: disable=broad-except  # shown by stop()
            self.failure = failure

    def _batches_until_closed(self, client):
        """Returns when the load ends, or when the session does where that is allowed."""
        while not self.load.stopping.is_set():
            open_still = self._batch(client)
            self.batches += 1
            if not open_still:
                return
            self.load.stopping.wait(PAUSE_SECONDS)

    def _value(self, key):
        self.sequence += 1
        size = self.random.choice(self.load.sizes)
        return f"{key}|{self.sequence}|{size}|{'x' * size}"

    def _prime(self, client):
        for key, state in self.keys.items():
            answer = client.call("SET", key, self._value(key))
            assert answer == "OK", f"SET {key} before any fault: {answer}"
            state.acknowledge(self.sequence)

    def _batch(self, client):
        steps = [self.random.choice([self._set, self._get, self._mget, self._mset, self._get_others])
                 for _ in range(BATCH)]
        pending = [step() for step in steps]
        try:
            client.send(resp.encode_all(*(request for request, _ in pending)))
            while pending:
                answer = client.read()
                request, check = pending.pop(0)
                check(request, answer)
            return True
        except (resp.Closed, ConnectionError):
            if not self.load.may_close:
                raise
            self._lost([request for request, _ in pending])
            return False

    def _lost(self, requests):
        """The session ended before these were answered; one of them is to blame."""
        keys = []
        for request in requests:
            writes = self._writes_of(request)
            for key, sequence in writes.items():
                self.keys[key].uncertain.add(sequence)
            keys += writes or request[1:]
        self.load.add_error(keys, "closed")

    def _key(self):
        return self.random.choice(list(self.keys))

    def _set(self):
        key = self._key()
        value = self._value(key)
        return ("SET", key, value), self._check_write

    def _mset(self):
        keys = self.random.sample(list(self.keys), 3)
        return ("MSET", *(word for key in keys for word in (key, self._value(key)))), \
            self._check_write

    @staticmethod
    def _writes_of(request):
        """{key: sequence} of a SET or MSET; empty for other requests."""
        if request[0] not in ("SET", "MSET"):
            return {}
        return {key: int(value.split("|", 2)[1])
                for key, value in zip(request[1::2], request[2::2])}

    def _check_write(self, request, answer):
        writes = self._writes_of(request)
        for key, sequence in writes.items():
            if answer == "OK":
                self.keys[key].acknowledge(sequence)
            else:
                self.keys[key].uncertain.add(sequence)
        if answer != "OK":
            self.load.add_error(list(writes), answer)

    def _get(self):
        return ("GET", self._key()), self._check_read

    def _mget(self):
        return ("MGET", *self.random.choices(list(self.keys), k=5)), self._check_read

    def _get_others(self):
        writer = self.random.choice(self.load.writers)
        return ("GET", self.random.choice(list(writer.keys))), self._check_others

    def _check_read(self, request, answer):
        keys = request[1:]
        if isinstance(answer, resp.Error):
            return self.load.add_error(list(keys), answer)
        for key, value in zip(keys, answer if request[0] == "MGET" else [answer]):
            check_value(key, value, self.keys[key].readable())

    def _check_others(self, request, answer):
        if isinstance(answer, resp.Error):
            return self.load.add_error([request[1]], answer)
        if answer is not None:  # its writer may not have begun
            assert answer.split(b"|")[0].decode() == request[1], f"{request}: {answer[:60]}"


def check_value(key, value, allowed):
    """Returns which write of `key` this value is; raises unless it is one that is allowed."""
    if value is None:
        assert None in allowed, f"{key} is lost"
        return None
    name, sequence, size, padding = value.decode().split("|", 3)
    assert name == key, f"{key} has the value of {name}"
    assert padding == "x" * int(size), f"{key} has a torn value"
    assert int(sequence) in allowed, f"{key} has value {sequence}, allowed are {allowed}"
    return int(sequence)


def only_holder(key, held):
    assert len(held) == 1, f"{key} is on servers {list(held)}"
    index, = held
    return index


class Load:
    """Writers in threads, from `with` to its end. `errors`: what failed, as (monotonic time, keys of
    the request, error text). With `large` some values are large, and a session may end when a shard
    fails in the middle of one."""

    def __init__(self, proxy, writers=4, keys=30, large=False):
        self.address = proxy.address
        self.sizes = LARGE if large else SMALL
        self.may_close = large
        self.stopping = threading.Event()
        self.errors = []
        self.writers = []
        self.writers += [_Writer(self, number, keys) for number in range(writers)]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        self.run(1)
        return self

    def __exit__(self, kind, *exception):
        self.stopping.set()
        for writer in self.writers:
            writer.join(60)
            assert not writer.is_alive(), "a request was never answered"
        if kind is None:
            self._raise_failures()

    def _raise_failures(self):
        for writer in self.writers:
            if writer.failure is not None:
                raise AssertionError(f"writer: {writer.failure!r}") from writer.failure

    def add_error(self, keys, text):
        self.errors.append((time.monotonic(), keys, text))

    def run(self, batches):
        """Returns when every writer has done so many more."""
        goals = [writer.batches + batches for writer in self.writers]
        done = resp.eventually(lambda: all(
            writer.batches >= goal or writer.failure for writer, goal in zip(self.writers, goals)),
            seconds=60)
        self._raise_failures()
        assert done, "the load makes no progress"

    def recovered(self, batches=20):
        """Waits until so many batches in a row had no error."""
        def calm():
            before = len(self.errors)
            self.run(batches)
            return len(self.errors) == before
        assert resp.eventually(calm, seconds=30), f"still failing: {self.errors[-1]}"

    def keys(self):
        return {key: state for writer in self.writers for key, state in writer.keys.items()}

    def _held(self, servers):
        """For every key its state, and what the servers themselves say: {index: value}."""
        clients = [server.client() for server in servers]
        for key, state in self.keys().items():
            values = [client.call("GET", key) for client in clients]
            yield key, state, {i: value for i, value in enumerate(values) if value is not None}
        for client in clients:
            client.close()

    def homes(self, servers):
        """key → index of the only server that has it."""
        return {key: only_holder(key, held) for key, _, held in self._held(servers)}

    def verify(self, servers):
        """After the end: asks the servers themselves for every key. Returns key → server index."""
        homes = {}
        for key, state, held in self._held(servers):
            homes[key] = only_holder(key, held)
            check_value(key, held[homes[key]], state.allowed())
        return homes

    def let_move(self, keys):
        """A shard that has these keys may be ejected from here on, or may return."""
        for key, state in self.keys().items():
            if key in keys:
                state.settled_at = math.inf

    def settled(self):
        """No key moves from here on: what is written is to be read again."""
        for writer in self.writers:
            for state in writer.keys.values():
                state.settled_at = min(state.settled_at, writer.sequence)

    def verify_moved(self, servers, homes, ejected):
        """After the end: every key of the server that was ejected is at home and on one other
        server at most, with its last acknowledged value on one of them; others are at home alone.
        Returns key → {server index: value} of what moved."""
        moved = {}
        for key, state, held in self._held(servers):
            away = set(held) - {homes[key]}
            most = 1 if homes[key] == ejected else 0
            assert len(away) <= most, f"{key} is on servers {list(held)}"
            writes = [check_value(key, value, state.sent()) for value in held.values()]
            assert max(writes, default=None) in state.allowed(), f"{key} is lost: {writes}"
            if away:
                moved[key] = held
        return moved

    def assert_errors_only_on(self, shards, broken):
        """Every request that failed had a key on one of the `broken` servers (indexes)."""
        for _, keys, text in self.errors:
            assert any(shards[key] in broken for key in keys), f"{keys}: {text}"
