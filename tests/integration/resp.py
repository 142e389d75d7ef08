"""A redis client of sockets and bytes, for tests that care about both.

Replies become Python values: simple strings `str`, bulk strings `bytes`, errors `Error` (returned,
not raised: in these tests an error is an answer like any other), maps `dict`, sets `frozenset`.
"""

import socket
import time


class Error(str):
    """The text of an error reply, without its leading '-'."""


class Closed(Exception):
    """The other side closed the connection."""


class Push(list):
    """A RESP3 push frame."""


def encode(*args):
    """One request as a RESP array."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, (bytes, bytearray)) else str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def encode_all(*requests):
    return b"".join(encode(*request) for request in requests)


def family_of(address):
    """Of ("numeric address", port) or "/path"."""
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def connect(address, seconds=10):
    """A connected socket to ("numeric address", port) or "/path"."""
    family = family_of(address)
    sock = socket.socket(family)
    sock.settimeout(seconds)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Reader:
    """RESP frames from a socket, one at a time."""

    def __init__(self, sock):
        self._sock = sock
        self._buffer = bytearray()

    def _fill(self):
        data = self._sock.recv(1 << 18)
        if not data:
            raise Closed(f"unread: {bytes(self._buffer[:100])!r}")
        self._buffer += data

    def line(self):
        start = 0
        while (end := self._buffer.find(b"\r\n", start)) < 0:
            start = max(0, len(self._buffer) - 1)
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[:end + 2]
        return line

    def exactly(self, size):
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def rest(self):
        """All that still comes, until the other side closes."""
        try:
            while True:
                self._fill()
        except (Closed, ConnectionResetError):
            return bytes(self._buffer)

    def _bulk(self, size):
        data = self.exactly(size + 2)
        assert data[-2:] == b"\r\n", f"bulk string ends with {data[-2:]!r}"
        return data[:-2]

    def value(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Error(rest.decode("utf-8", "backslashreplace"))
        if kind in (b":", b"("):
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"_" or rest == b"-1":
            return None
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b"=":
            return self._bulk(int(rest))[4:]
        if kind == b"!":
            return Error(self._bulk(int(rest)).decode())
        if kind == b"*":
            return [self.value() for _ in range(int(rest))]
        if kind == b">":
            return Push(self.value() for _ in range(int(rest)))
        if kind == b"~":
            return frozenset(self.value() for _ in range(int(rest)))
        if kind == b"%":
            return {self.value(): self.value() for _ in range(int(rest))}
        raise AssertionError(f"no RESP: {line[:100]!r}")


class Client:
    """One connection. Every wait is bounded: it ends in TimeoutError."""

    def __init__(self, address, seconds=10):
        self.sock = connect(address, seconds)
        self._reader = Reader(self.sock)
        self.read = self._reader.value
        self.read_bytes = self._reader.exactly

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def call(self, *args):
        """One request, and its reply."""
        self.send(encode(*args))
        return self.read()

    def pipeline(self, *requests):
        """Requests in one piece, and their replies in order."""
        self.send(encode_all(*requests))
        return [self.read() for _ in requests]

    def is_open(self):
        """Whether the other side still answers."""
        try:
            return self.call("PING") == "PONG"
        except (Closed, OSError):
            return False

    def read_until_closed(self):
        """All that still comes, until the other side closes."""
        return self._reader.rest()


def eventually(what, seconds=10):
    """Asks until the answer is true (which it returns) or time is up (then the last answer)."""
    deadline = time.monotonic() + seconds
    while not (answer := what()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer
