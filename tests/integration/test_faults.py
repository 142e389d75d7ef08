"""Shards and clients that fail, under a load whose values are verified: no wrong value, no reply of
somebody else's, errors only where a shard was really out of reach, and no acknowledged write lost."""

import socket
import threading
import time

import pytest

from fake_shard import FakeShard
from load import Load
from placement import keys_by_shard
from resp import Client, Closed, Error, connect, encode, encode_all, eventually

RESET = socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"  # close() sends RST instead of FIN
KETAMA = {"hash": "murmur", "distribution": "ketama"}


def connections(proxy):
    """How many connections the proxy has to its only shard."""
    only, = (of_shard for of_shard in proxy.stats()["pool"].values() if isinstance(of_shard, dict))
    return only["server_connections"]


def names_of(server):
    """The identities of its connections from the proxy."""
    return sorted(client["id"] for client in server.clients())


# --- Shards that go away ---


# Large values pass over leases and in pieces.
@pytest.mark.parametrize("large", [False, True], ids=["small values", "large values"])
def test_kill_9_and_restart_of_a_shard_loses_nothing(lab, large):
    shards = lab.redis(3, durable=True)
    proxy = lab.proxy(shards, **KETAMA)
    with Load(proxy, large=large) as load:
        load.run(20)
        assert load.errors == []
        shards[1].kill()
        load.run(30)
        assert load.errors
        shards[1].start()
        load.recovered()
    load.assert_errors_only_on(load.verify(shards), {1})


@pytest.mark.parametrize("partial", [False, True])
def test_a_split_request_says_what_failed(lab, partial):
    shards = lab.redis(2, durable=True)
    options = {"partial_mget": "elements"} if partial else {}
    with lab.proxy(shards, **options, **KETAMA).client() as client:
        here, gone = (group[0] for group in keys_by_shard(client, shards))
        shards[1].kill()
        assert eventually(lambda: isinstance(client.call("GET", gone), Error))
        answer = client.call("MGET", here, gone, here)
        if partial:
            assert answer[0] == answer[2] == here.encode()
            answer = answer[1]
        assert isinstance(answer, Error) and "shard1" in answer, answer
        for args in (["MSET", here, "new", gone, "new"], ["EXISTS", here, gone]):
            answer = client.call(*args)
            assert isinstance(answer, Error) and "(shard1: " in answer, (args, answer)
        assert client.call("GET", here) == b"new"  # what was applied stays applied
        shards[1].start()
        assert eventually(lambda: client.call("MGET", here, gone) == [b"new", gone.encode()])


def test_all_shards_down_is_an_error_for_everybody_until_they_are_back(lab):
    shards = lab.redis(2, durable=True)
    proxy = lab.proxy(shards, **KETAMA)
    with Load(proxy) as load:
        load.run(10)
        for shard in shards:
            shard.kill()
        load.run(30)
        with proxy.client() as client:
            answers = client.pipeline(*[["GET", f"k{i}"] for i in range(20)], ["PING"])
        assert all(isinstance(answer, Error) for answer in answers[:-1]) and answers[-1] == "PONG"
        for shard in shards:
            shard.start()
        load.recovered()
    load.verify(shards)


@pytest.mark.parametrize("large", [False, True], ids=["small values", "large values"])
def test_a_flapping_shard_costs_errors_only(lab, large):
    shards = lab.redis(3, durable=True)
    proxy = lab.proxy(shards, timeout=500, **KETAMA)
    with Load(proxy, large=large) as load:
        for _ in range(5):
            shards[0].kill()
            load.run(5)
            shards[0].start()
            load.run(5)
        load.recovered()
    assert load.errors
    load.assert_errors_only_on(load.verify(shards), {0})


def test_a_clean_restart_of_each_shard_in_turn_loses_nothing(lab):
    shards = lab.redis(3, durable=True)
    proxy = lab.proxy(shards, **KETAMA)
    with Load(proxy) as load:
        for shard in shards:
            shard.signal(15)
            shard.process.wait(20)
            shard.kill()
            shard.start()
            load.recovered()
    load.verify(shards)


# --- Shards that are slow ---


@pytest.mark.parametrize("large", [False, True], ids=["small values", "large values"])
def test_a_pause_of_300_ms_fails_late_requests_only_and_keeps_the_connection(lab, large):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, timeout=100, **KETAMA)
    # Large requests that would have to wait behind late ones are refused.
    allowed = ("timed out", "does not answer") if large else ("timed out",)
    with Load(proxy, large=large) as load:
        load.run(10)
        before = names_of(shards[0])
        shards[0].pause()
        time.sleep(0.3)  # the fault itself
        shards[0].resume()
        load.recovered()
        assert set(before) <= set(names_of(shards[0])) if large else \
            before == names_of(shards[0])
    assert load.errors
    assert all(any(it in text for it in allowed) for _, _, text in load.errors), load.errors
    load.assert_errors_only_on(load.verify(shards), {0})


def test_an_acknowledged_write_is_not_lost_to_a_large_one_that_timed_out_before(lab):
    shards = lab.redis(1)
    proxy = lab.proxy(shards, timeout=100, threads=1)

    def sets_done():
        lines = shards[0].call("INFO", "commandstats").decode().splitlines()
        found = [line for line in lines if line.startswith("cmdstat_set:")]
        return int(found[0].split("calls=")[1].split(",")[0]) if found else 0

    with proxy.client() as client:
        sent = 0
        for _ in range(5):
            shards[0].pause()
            assert "timed out" in client.call("SET", "k", "x" * 300_000)
            sent += 1
            shards[0].resume()
            answer = None
            while answer != "OK":
                answer = client.call("SET", "k", "v2")
                sent += "was not sent" not in answer
            assert eventually(lambda: sets_done() == sent)  # pylint: disable=cell-var-from-loop
            assert shards[0].call("GET", "k") == b"v2"


def test_an_acknowledged_write_is_not_undone_by_the_rest_of_a_large_one_that_was_given_up(lab):
    shards = lab.redis(1)
    proxy = lab.proxy(shards, timeout=100, shard_silence_limit=300, threads=1)
    with proxy.client() as client:
        assert client.call("SET", "k", "v1") == "OK"
        shards[0].pause()
        # More than the shard's socket takes, so that the kernel holds the rest for it.
        assert "timed out" in client.call("SET", "k", "x" * 400_000)
        assert eventually(lambda: connections(proxy) == 1)  # the large one's is given up
        client.send(encode("SET", "k", "v2"))
        shards[0].resume()
        assert client.read() == "OK"
        assert eventually(lambda: len(shards[0].clients()) == 1)  # the shard has met its end
        assert shards[0].call("GET", "k") == b"v2"


def test_the_late_reply_of_a_timed_out_request_goes_to_nobody(lab):
    shards = lab.redis(1)
    with lab.proxy(shards, timeout=100, threads=1).client() as client:
        client.pipeline(["SET", "a", "of a"], ["SET", "b", "of b"])
        shards[0].pause()
        assert "timed out" in client.call("GET", "a")
        shards[0].resume()
        assert client.call("GET", "b") == b"of b"
        assert client.pipeline(["GET", "a"], ["GET", "b"]) == [b"of a", b"of b"]


def test_a_silent_shard_is_given_up_and_taken_back(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, shard_silence_limit=300, **KETAMA)
    with Load(proxy) as load:
        shards[0].pause()
        assert eventually(lambda: load.errors)
        shards[0].resume()
        load.recovered()
    load.assert_errors_only_on(load.verify(shards), {0})


def test_two_slow_commands_eject_nothing(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, auto_eject_hosts=True, timeout=100, **KETAMA)
    with proxy.client() as client:
        key = keys_by_shard(client, shards)[0][0]
        for _ in range(2):
            with shards[0].client() as direct:
                direct.send(encode("DEBUG", "SLEEP", "0.25"))
                answers = client.pipeline(*[["GET", key]] * 20)
                assert all(answer == key.encode() or "timed out" in answer for answer in answers)
                assert direct.read() == "OK"
            assert eventually(lambda: client.call("GET", key) == key.encode())
    assert proxy.stats()["pool"]["server_ejects"] == 0


def test_a_shard_that_hangs_during_an_upload_is_found_and_its_client_kept(lab):
    hung = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{hung.getsockname()[1]}:1 hung"
    proxy = lab.proxy([address], shard_silence_limit=1500, progress_limit=100, threads=1)
    value = b"x" * 30_000_000
    with proxy.client(seconds=30) as client, hung:
        upload = threading.Thread(target=client.send, args=[encode("SET", "k", value)])
        upload.start()
        assert "shard hung is silent" in client.read()
        upload.join()
        assert client.call("PING") == "PONG"


# A script that takes 0.2 s of the server's time.
SLOW = """local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
          redis.replicate_commands()
          local begun = now()
          while now() - begun < 200000 do end
          return redis.call('GET', KEYS[1])"""


def test_two_slow_commands_of_a_client_eject_nothing(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, auto_eject_hosts=True, timeout=100, **KETAMA)
    with proxy.client() as client, proxy.client() as other:
        key, other_key = (group[0] for group in keys_by_shard(client, shards))
        answers = client.pipeline(*[["EVAL", SLOW, 1, key]] * 2, ["GET", other_key])
        assert all("timed out" in answer for answer in answers[:2]), answers
        assert answers[2] == other_key.encode()
        assert other.call("GET", other_key) == other_key.encode()
        assert eventually(lambda: client.call("GET", key) == key.encode())
    assert proxy.stats()["pool"]["server_ejects"] == 0


def test_a_stall_that_the_connections_of_four_workers_see_ejects_nothing(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, auto_eject_hosts=True, timeout=100, threads=4, **KETAMA)
    with proxy.client() as client:
        key = keys_by_shard(client, shards)[0][0]
        with Load(proxy) as load:
            load.run(10)
            client.pipeline(*[["EVAL", SLOW, 1, key]] * 2)
            load.recovered()
    load.assert_errors_only_on(load.verify(shards), {0})
    assert proxy.stats()["pool"]["server_ejects"] == 0


# --- Shards that close connections ---


def test_client_kill_ejects_nothing_and_the_next_request_works(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, auto_eject_hosts=True, server_failure_limit=1, threads=1, **KETAMA)
    with proxy.client() as client:
        key = keys_by_shard(client, shards)[0][0]
        for _ in range(5):
            open_before = proxy.descriptors()
            assert shards[0].call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") == 1
            assert eventually(lambda before=open_before: proxy.descriptors() < before)
            assert client.call("GET", key) == key.encode()
    assert proxy.stats()["pool"]["server_ejects"] == 0


@pytest.mark.parametrize("large", [False, True], ids=["small values", "large values"])
def test_client_kill_under_load_loses_no_acknowledged_write(lab, large):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, **KETAMA)
    with Load(proxy, large=large) as load:
        for _ in range(10):
            shards[0].call("CLIENT", "KILL", "TYPE", "normal")
            load.run(3)
        load.recovered()
    load.assert_errors_only_on(load.verify(shards), {0})


# --- Shards that lie ---


BAD_REPLIES = {
    "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an impossible length": b"$99999999999999999999\r\n",
    "a value without its end": b"$1\r\nabc\r\n",
    "two replies": b"$1\r\na\r\n$1\r\nb\r\n",
}


@pytest.mark.parametrize("bad", BAD_REPLIES, ids=BAD_REPLIES)
def test_a_shard_that_answers_nonsense_fails_its_own_requests_only(lab, bad):
    lying = threading.Event()

    def behaviour(connection, args):
        if lying.is_set() and args[0] == b"GET":
            connection.sendall(BAD_REPLIES[bad])
            raise FakeShard.HandledIt
        return None

    liar, honest = lab.fake(behaviour), lab.fake()
    proxy = lab.proxy([liar, honest], threads=1, **KETAMA)
    with proxy.client() as victim, proxy.client() as other:
        bad_key, good_key = two_keys(victim, liar, honest)
        lying.set()
        for _ in range(5):
            other.send(encode_all(*[["GET", good_key]] * 20))
            victim.send(encode_all(["GET", bad_key], ["PING"], ["GET", good_key]))
            answer = victim.read()
            if bad == "two replies":  # the first is a reply; the second belongs to nobody
                assert answer == b"a" or isinstance(answer, Error)
            else:
                assert isinstance(answer, Error), answer
            assert [victim.read(), victim.read()] == ["PONG", good_key.encode()]
            assert [other.read() for _ in range(20)] == [good_key.encode()] * 20
        lying.clear()
        assert eventually(lambda: victim.call("GET", bad_key) == bad_key.encode())


def test_an_endless_line_of_a_shard_ends_the_session_that_got_half_of_it_only(lab):
    endless = threading.Event()

    def behaviour(connection, args):
        if endless.is_set() and args[0] == b"GET":
            connection.sendall(b"+" + b"x" * 2_000_000)
            raise FakeShard.HandledIt
        return None

    liar, honest = lab.fake(behaviour), lab.fake()
    proxy = lab.proxy([liar, honest], threads=1, **KETAMA)
    with proxy.client() as victim, proxy.client() as other:
        bad_key, good_key = two_keys(victim, liar, honest)
        endless.set()
        victim.send(encode("GET", bad_key))
        try:
            assert isinstance(victim.read(), Error)
        except Closed:
            pass  # what was passed on cannot be made whole
        assert other.pipeline(["GET", good_key], ["PING"]) == [good_key.encode(), "PONG"]
        endless.clear()
        assert eventually(lambda: other.call("GET", bad_key) == bad_key.encode())


def two_keys(client, first, second):
    """A key on each of two fake shards, set to its own name."""
    for i in range(1000):
        client.call("SET", f"key{i}", f"key{i}")
        if first.store and second.store:
            return next(iter(first.store)).decode(), next(iter(second.store)).decode()
    raise AssertionError("a shard gets no keys")


def end(connection, how):
    if how == "resets":
        connection.setsockopt(socket.SOL_SOCKET, *RESET)
        connection.close()
    else:
        connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("how", ["closes", "resets"])
def test_a_shard_that_ends_in_mid_reply_fails_what_was_pending_there_only(lab, how):
    ending = threading.Event()

    def behaviour(connection, args):
        if ending.is_set() and args[0] == b"GET":
            connection.sendall(b"$1000\r\nhalf")
            end(connection, how)
            raise FakeShard.HandledIt
        return None

    bad, good = lab.fake(behaviour), lab.fake()
    proxy = lab.proxy([bad, good], threads=1, **KETAMA)
    with proxy.client() as victim, proxy.client() as other:
        bad_key, good_key = two_keys(victim, bad, good)
        ending.set()
        for _ in range(5):
            other.send(encode_all(*[["GET", good_key]] * 20))
            answers = victim.pipeline(["GET", good_key], ["GET", bad_key], ["GET", good_key],
                                      ["MGET", bad_key, good_key])
            assert answers[0] == answers[2] == good_key.encode()
            assert isinstance(answers[1], Error) and isinstance(answers[3], Error)
            assert [other.read() for _ in range(20)] == [good_key.encode()] * 20
        ending.clear()
        assert eventually(lambda: victim.call("GET", bad_key) == bad_key.encode())


@pytest.mark.parametrize("how", ["closes", "resets"])
def test_a_shard_that_ends_in_the_middle_of_a_large_reply_ends_the_session_that_got_half_only(
        lab, how):
    ending, half_read = threading.Event(), threading.Event()

    def behaviour(connection, args):
        if ending.is_set() and args[0] == b"GET":
            connection.sendall(b"$4000000\r\n" + b"x" * 2_000_000)
            half_read.wait(30)
            end(connection, how)
            raise FakeShard.HandledIt
        return None

    bad, good = lab.fake(behaviour), lab.fake()
    proxy = lab.proxy([bad, good], threads=1, **KETAMA)
    with proxy.client() as victim, proxy.client() as other:
        bad_key, good_key = two_keys(victim, bad, good)
        ending.set()
        victim.send(encode("GET", bad_key))
        assert victim.read_bytes(1_000_000).startswith(b"$4000000\r\nx")
        ending.clear()
        half_read.set()
        assert set(victim.read_until_closed()) <= set(b"x")  # cannot be made whole
        assert other.pipeline(["GET", good_key], ["PING"]) == [good_key.encode(), "PONG"]
        assert eventually(lambda: other.call("GET", bad_key) == bad_key.encode())


def test_a_shard_that_never_answers_does_not_hold_up_the_others(lab):
    deaf, good = lab.fake(), lab.fake()
    proxy = lab.proxy([deaf, good], timeout=200, threads=1, **KETAMA)
    with proxy.client() as victim, proxy.client() as other:
        bad_key, good_key = two_keys(victim, deaf, good)

        def never(connection, args):
            raise FakeShard.HandledIt

        deaf.behaviour = never
        victim.send(encode("GET", bad_key))
        for _ in range(100):
            assert other.call("GET", good_key) == good_key.encode()
        assert "timed out" in victim.read()
        assert victim.call("GET", good_key) == good_key.encode()


def test_replies_in_single_bytes_are_whole_for_the_client(lab):
    def dribble(connection, args):
        if args[0] != b"GET":
            return None
        for byte in b"$5\r\nabcde\r\n":
            connection.sendall(bytes([byte]))
        raise FakeShard.HandledIt

    with lab.proxy([lab.fake(dribble)]).client() as client:
        assert client.pipeline(*[["GET", "k"]] * 20) == [b"abcde"] * 20


def test_an_unasked_reply_closes_the_connection_and_reaches_nobody(lab):
    shard = lab.fake()
    proxy = lab.proxy([shard], threads=1)
    with proxy.client() as client:
        client.call("SET", "a", "of a")
        shard.connections[0].sendall(b"$6\r\nunmine\r\n")
        assert eventually(lambda: not shard.connections)
        assert client.call("GET", "a") == b"of a"


def test_an_idle_connection_that_the_shard_closes_costs_no_request(lab):
    shard = lab.fake()
    proxy = lab.proxy([shard], threads=1)
    with proxy.client() as client:
        for i in range(10):
            assert client.call("SET", "a", i) == "OK"
            open_before = proxy.descriptors()
            shard.close_connections()
            assert eventually(lambda before=open_before: proxy.descriptors() < before)
            assert client.call("GET", "a") == b"%d" % i


def test_error_replies_of_a_shard_are_passed_on_and_cost_nothing(lab):
    errors = [b"-LOADING Redis is loading\r\n", b"-OOM command not allowed\r\n", b"-BUSY script\r\n",
              b"-MOVED 1 127.0.0.1:1\r\n"]
    shard = lab.fake(lambda connection, args: errors[int(args[1])] if args[0] == b"GET" else None)
    with lab.proxy([shard], auto_eject_hosts=True, server_failure_limit=1).client() as client:
        for i, error in enumerate(errors):
            assert client.call("GET", i) == error[1:-2].decode()
        assert client.call("SET", "a", "1") == "OK"
    assert shard.accepted == 1


def test_a_shard_that_speaks_resp2_only_serves_every_client_in_resp2(lab):
    def resp2_only(connection, args):
        return b"-ERR unknown command 'HELLO'\r\n" if args[0] == b"HELLO" else None

    proxy = lab.proxy([lab.fake(resp2_only)], threads=1)
    with proxy.client() as first, proxy.client() as second:
        first.call("HELLO", "3")  # nobody knows yet
        assert "NOPROTO" in first.call("GET", "a")
        assert "NOPROTO" in second.call("HELLO", "3")
        for client in (first, second):
            assert client.pipeline(["SET", "a", "1"], ["GET", "a"]) == ["OK", b"1"]


# --- Clients that misbehave ---


def test_clients_that_vanish_in_mid_request_disturb_nobody(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, **KETAMA)
    request = encode_all(["SET", "vanish", "x" * 1000], ["MGET", "a", "b", "c"], ["GET", "vanish"])
    with Load(proxy) as load:
        for i in range(400):
            client = connect(proxy.address)
            client.sendall(request[:1 + i * 7 % len(request)])
            if i % 2:  # RST instead of FIN
                client.setsockopt(socket.SOL_SOCKET, *RESET)
            client.close()
        load.run(5)
    assert load.errors == []
    load.verify(shards)


def test_clients_that_never_read_disturb_nobody(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, session_output_limit=1 << 20, **KETAMA)
    with proxy.client() as client:
        client.call("SET", "big", "x" * 100_000)
    silent = [connect(proxy.address, seconds=1) for _ in range(10)]
    with Load(proxy) as load:
        for sock in silent:
            try:
                sock.sendall(encode_all(*[["GET", "big"]] * 500))
            except OSError:  # its requests are not read any more, or it was closed
                pass
        load.run(30)
    assert load.errors == []
    load.verify(shards)
    for sock in silent:
        sock.close()


def test_2000_connects_a_second_are_all_answered_and_disturb_nobody(lab):
    threads, rate, seconds = 8, 2000, 2
    each = rate * seconds // threads
    shards = lab.redis(2)
    proxy = lab.proxy(shards, **KETAMA)
    with proxy.client() as client:
        keys = sum(keys_by_shard(client, shards, count=10), [])
    answered, failures = [], []

    def knock(number):
        begun = time.monotonic()
        for i in range(each):
            due = begun + i * threads / rate
            time.sleep(max(0.0, due - time.monotonic()))
            key = keys[(number + i) % len(keys)]
            try:
                with Client(proxy.address) as client:
                    assert client.call("GET", key) == key.encode()
                answered.append(key)
            except (AssertionError, Closed, OSError) as failure:
                failures.append(failure)

    before = proxy.descriptors()
    with Load(proxy, writers=2) as load:
        knockers = [threading.Thread(target=knock, args=(number,)) for number in range(threads)]
        for knocker in knockers:
            knocker.start()
        for knocker in knockers:
            knocker.join(60)
        load.run(5)
    assert failures == [] and load.errors == []
    assert len(answered) == threads * each
    load.verify(shards)
    # Two connections to each shard stay; the sessions' are all closed.
    assert eventually(lambda: proxy.descriptors() <= before + 2 * len(shards))
