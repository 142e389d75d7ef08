"""A shard that misbehaves on demand.

It is a small redis (PING, GET, SET, DEL, and OK for the rest) in threads, with a behaviour in front:
a function that sees each request first, and answers it, or does something worse.
"""

import socket
import threading

import resp


def reply_to(store, args):
    """What a well-behaved shard answers."""
    name = args[0].upper()
    if name == b"PING":
        return b"+PONG\r\n"
    if name == b"GET":
        value = store.get(args[1])
        return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
    if name == b"SET":
        store[args[1]] = args[2]
    if name == b"DEL":
        return b":%d\r\n" % sum(store.pop(key, None) is not None for key in args[1:])
    return b"+OK\r\n"


class FakeShard:
    """Listens on a port of its own until `stop`.

    `behaviour(connection, args)` returns bytes to answer, or None for "as a good shard would". It
    may also use `connection` (a socket) itself; `HandledIt` then says that there is no answer to
    send, and `connection.close()` is noticed. It may be changed at any time.
    """

    class HandledIt(Exception):
        """The behaviour did all that was to be done."""

    def __init__(self, behaviour=None):
        self.behaviour = behaviour
        self.store = {}
        self.requests = []
        self.connections = []
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        reader = resp.Reader(connection)
        try:
            while True:
                args = reader.value()
                self.requests.append(args)
                try:
                    answer = self.behaviour(connection, args) if self.behaviour else None
                    connection.sendall(reply_to(self.store, args) if answer is None else answer)
                except FakeShard.HandledIt:
                    pass
        except (resp.Closed, OSError, AssertionError):
            pass
        finally:
            connection.close()
            if connection in self.connections:
                self.connections.remove(connection)

    def close_connections(self):
        """FIN to every connection, now."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        except OSError:
            pass
        self._listener.close()
        self.close_connections()
