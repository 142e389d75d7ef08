"""What a session says and hears, command by command, compared with a real server where it can be."""

import pathlib
import random

import pytest

from placement import keys_by_shard, shard_of
from processes import ROOT
from resp import Error, encode, encode_all, eventually


@pytest.fixture(scope="module")
def shards(module_lab):
    return module_lab.redis(3)


@pytest.fixture(scope="module")
def proxy(module_lab, shards):
    return module_lab.proxy(shards, hash="murmur", hash_tag='"{}"')


@pytest.fixture(scope="module")
def single(module_lab):
    """The real thing, to compare with."""
    return module_lab.redis(1)[0]


@pytest.fixture
def client(proxy, shards):
    for shard in shards:
        shard.call("FLUSHALL")
    with proxy.client() as it:
        yield it


@pytest.fixture
def reference(single):
    single.call("FLUSHALL")
    with single.client() as it:
        yield it


def is_error(answer, *words):
    return isinstance(answer, Error) and all(word in answer for word in words)


# --- Split and merge ---


def test_split_commands_answer_what_one_server_answers(client, reference):
    rng = random.Random(1)
    names = [f"k{i}" for i in range(40)]
    for _ in range(400):
        keys = rng.choices(names, k=rng.randint(1, 12))  # with duplicates and missing ones
        command = rng.choice(["MGET", "MSET", "DEL", "UNLINK", "EXISTS", "TOUCH"])
        args = keys
        if command == "MSET":
            args = [word for key in keys for word in (key, f"{key}={rng.random()}")]
        assert client.call(command, *args) == reference.call(command, *args), (command, args)


def test_split_commands_take_a_thousand_keys(client, reference, shards):
    keys = [f"many:{i}" for i in range(1000)]
    pairs = [word for key in keys for word in (key, f"value of {key}")]
    for command, args in [("MSET", pairs), ("MGET", keys), ("EXISTS", keys), ("TOUCH", keys),
                          ("DEL", keys[:500]), ("UNLINK", keys), ("MGET", keys)]:
        assert client.call(command, *args) == reference.call(command, *args)
        if command == "MSET":
            assert all(shard.call("DBSIZE") > 0 for shard in shards)


def test_a_key_named_twice_in_mset_has_its_last_value(client):
    assert client.call("MSET", "twice", "first", "other", "x", "twice", "last") == "OK"
    assert client.call("MGET", "twice", "other", "twice") == [b"last", b"x", b"last"]


def test_mget_of_another_type_is_nil_as_in_redis(client, reference):
    for it in (client, reference):
        it.pipeline(["LPUSH", "list", "x"], ["SET", "a", "1"])
    assert client.call("MGET", "a", "list", "b") == reference.call("MGET", "a", "list", "b")


def test_mset_without_a_value_is_an_error_and_sets_nothing(client, shards):
    assert is_error(client.call("MSET", "a", "1", "b"), "wrong number of arguments")
    assert sum(shard.call("DBSIZE") for shard in shards) == 0


@pytest.mark.parametrize("command", [
    ["SINTER", 0, 1], ["RENAME", 0, 1], ["PFCOUNT", 0, 1], ["ZUNION", 2, 0, 1], ["COPY", 0, 1],
    ["EVAL", "return 1", 2, 0, 1], ["BITOP", "AND", 0, 1, 2], ["MSETNX", 0, "x", 1, "y"],
    ["LMOVE", 0, 1, "LEFT", "RIGHT"], ["XREAD", "STREAMS", 0, 1, "0", "0"],
    ["SUNIONSTORE", 0, 1, 2], ["LMPOP", 2, 0, 1, "LEFT"], ["SORT", 0, "STORE", 1]],
    ids=lambda command: command[0])
def test_keys_on_several_shards_are_an_error_that_names_two_keys_and_shards(
        client, shards, command):
    keys = [group[0] for group in keys_by_shard(client, shards, prefix=f"cross{command[0]}")]
    numbers = {"ZUNION": 1, "EVAL": 2, "LMPOP": 1}.get(command[0])
    args = [keys[word] if isinstance(word, int) and i != numbers else word
            for i, word in enumerate(command)]
    answer = client.call(*args)
    named = [key for key in keys if f"'{key}'" in answer]
    assert isinstance(answer, Error) and len(named) >= 2, answer
    assert all(f"shard{keys.index(key)}" in answer for key in named), answer
    assert "hash tag" in answer
    assert client.is_open()


def with_two_keys(info, keys):
    """A request for the command of this COMMAND entry, its key positions filled with `keys` in turn;
    None when its keys do not follow from the entry, or there is but one."""
    name, arity, flags, first, last, step = info[:6]
    if first == 0 or first == last or "movablekeys" in flags:
        return None
    size = first + 2 * step - 1 - last if last < 0 else last + 1
    size = max(size, abs(arity))
    args = [name] + ["1"] * (size - 1)
    for turn, position in enumerate(range(first, (size + last if last < 0 else last) + 1, step)):
        args[position] = keys[turn % 2]
    return args


def test_every_command_of_several_keys_is_split_refused_or_names_the_keys(
        client, shards, reference):
    keys = [group[0] for group in keys_by_shard(client, shards)[:2]]
    split = {words[0] for words in documented("split")}
    named = 0
    for info in reference.call("COMMAND"):
        args = with_two_keys(info, keys)
        if args is None:
            continue
        answer = client.call(*args)
        if args[0].decode().upper() in split:
            assert not isinstance(answer, Error), (args, answer)
            client.call("MSET", *(word for key in keys for word in (key, key)))
            continue
        if "is not possible through the proxy" not in str(answer):
            assert is_error(answer, "CROSSSHARD", *(f"'{key}'" for key in keys)), (args, answer)
            named += 1
        assert client.call("MGET", *keys) == [key.encode() for key in keys], args
    assert named > 15


def test_commands_of_several_keys_pass_with_a_hash_tag(client, reference):
    for it in (client, reference):
        it.pipeline(["SADD", "{t}a", "1", "2", "3"], ["SADD", "{t}b", "2", "3", "4"])
    for args in [("SINTERCARD", 2, "{t}a", "{t}b"), ("SINTERSTORE", "{t}c", "{t}a", "{t}b"),
                 ("RENAME", "{t}c", "{t}d"), ("SCARD", "{t}d"), ("COPY", "{t}d", "{t}e"),
                 ("EVAL", "return redis.call('SCARD', KEYS[1])", 2, "{t}e", "{t}a"),
                 ("MGET", "{t}x", "{t}a")]:
        assert client.call(*args) == reference.call(*args), args


# --- Refusals keep the session ---


def documented(*classes):
    """The commands of these classes in docs/commands.md."""
    for line in (pathlib.Path(ROOT) / "docs/commands.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[2] in classes:
            yield cells[1].split()


@pytest.mark.parametrize("kind", ["refused", "one shard"])
def test_every_command_that_cannot_pass_says_so_and_the_session_stays(client, reference, kind):
    refused = list(documented(kind))
    assert len(refused) > 20
    for words in refused:
        info = reference.call("COMMAND", "INFO", "|".join(words))[0]
        arity = abs(info[1]) if info else len(words) + 3  # newer than this server
        args = words + ["1"] * max(0, arity - len(words))
        if words[0] == "SLAVEOF" or words[0] == "REPLICAOF":
            args = [words[0], "NO", "ONE"]
        answer = client.call(*args)
        assert is_error(answer, "ERR '", "through the proxy:"), (args, answer)
        assert client.call("PING") == "PONG", args


def test_unknown_commands_and_wrong_arity_are_errors_as_in_redis(client, reference):
    for args in [("NOSUCH",), ("NOSUCH", "a", "b"), ("GET",), ("GET", "a", "b"), ("SET", "a"),
                 ("MGET",), ("DEL",), ("PING", "a", "b"), ("HSET", "h", "f"), ("ECHO",),
                 ("CLIENT",), ("CLIENT", "SETNAME"), ("OBJECT", "ENCODING")]:
        answer, expected = client.call(*args), reference.call(*args)
        assert isinstance(answer, Error) and isinstance(expected, Error), (args, answer)
        assert answer.split(" ")[:4] == expected.split(" ")[:4], (args, answer, expected)
    assert client.is_open()


def test_scripts_without_keys_are_refused_with_a_reason(client):
    assert is_error(client.call("EVAL", "return 1", "0"), "ERR", "key")
    assert client.is_open()


def test_a_pool_of_one_shard_takes_what_names_no_key(lab, single):
    single.call("FLUSHALL")
    with lab.proxy([single]).client() as client:
        assert client.pipeline(["MSET", "a", "1", "b", "2"], ["EVAL", "return 7", "0"]) == ["OK", 7]
        cursor, keys = client.call("SCAN", "0")
        assert cursor == b"0" and sorted(keys) == [b"a", b"b"]
        assert sorted(client.call("KEYS", "*")) == [b"a", b"b"]
        assert client.call("RENAME", "a", "c") == "OK"
        assert is_error(client.call("MONITOR"), "ERR")
        assert is_error(client.call("SUBSCRIBE", "x"), "ERR")


# --- Bytes ---


def test_inline_commands_are_answered(client):
    client.send(b"SET inline 'a b'\r\nGET inline\nPING\r\n\r\nECHO \"\\x41\"\r\n")
    assert [client.read() for _ in range(4)] == ["OK", b"a b", "PONG", b"A"]


def test_a_pipeline_of_all_kinds_is_answered_in_order(client):
    rng = random.Random(2)
    requests, expected = [], []
    for i in range(2000):
        key, value = f"p{i}", f"v{i}".encode()
        request, answer = rng.choice([
            (["ECHO", value], value), (["PING"], "PONG"), (["NOSUCH"], Error),
            (["SUBSCRIBE", "x"], Error), (["SET", key, value], "OK"), (["GET", key], None),
            (["MGET", key, f"q{i}", f"r{i}"], [None] * 3), (["EXISTS", key, f"q{i}"], 0),
            (["APPEND", key, value], len(value))])
        requests.append(request)
        expected.append(answer)
    answers = client.pipeline(*requests)
    for request, answer, want in zip(requests, answers, expected):
        assert isinstance(answer, Error) if want is Error else answer == want, request


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_requests_in_pieces_are_answered_like_whole_ones(client, size):
    data = encode_all(["SET", "pieces", "x" * 50], ["MGET", "pieces", "b", "c"], ["GET", "pieces"])
    for start in range(0, len(data), size):
        client.send(data[start:start + size])
    assert client.read() == "OK"
    assert client.read() == [b"x" * 50, None, None]
    assert client.read() == b"x" * 50


def test_binary_keys_and_values_pass(client, shards):
    rng = random.Random(3)
    for size in (0, 1, 255, 16383, 16384, 65536, 300_000):
        key, value = b"b\x00\r\n\xff" + rng.randbytes(20), rng.randbytes(size)
        assert client.pipeline(["SET", key, value], ["STRLEN", key], ["GET", key]) == \
            ["OK", size, value]


@pytest.mark.parametrize("garbage", [b"*99999999999999999999\r\n", b"*1\r\n$99999999999999999999\r\n",
                                     b"*-5\r\n*1\r\n+PING\r\n", b"*1\r\n$4\r\nPINGxx",
                                     b"*2\r\n$3\r\nGET\r\n$-1\r\n", b"x" * 100_000],
                         ids=["endless array", "endless bulk", "no bulk", "no end of bulk",
                              "negative bulk", "endless line"])
def test_what_is_not_the_protocol_gets_an_error_and_is_closed(proxy, garbage):
    with proxy.client() as client:
        client.send(encode("PING"))
        client.send(garbage)
        assert client.read() == "PONG"
        assert is_error(client.read(), "ERR Protocol error")
        assert client.read_until_closed() == b""


def test_replies_before_garbage_are_not_lost(client):
    requests = [["SET", f"g{i}", "x"] for i in range(50)]
    client.send(encode_all(*requests) + b"*1\r\n+x\r\n")
    assert [client.read() for _ in requests] == ["OK"] * 50
    assert is_error(client.read(), "Protocol error")
    client.read_until_closed()


def test_quit_is_answered_after_all_replies_and_closes(client):
    client.send(encode_all(["SET", "q", "1"], ["MGET", "q", "r", "s"], ["QUIT"], ["PING"]))
    assert client.read() == "OK"
    assert client.read() == [b"1", None, None]
    assert client.read() == "OK"
    assert client.read_until_closed() == b""


def test_a_client_that_only_half_closes_gets_its_replies(client):
    client.send(encode_all(*[["SET", f"h{i}", "x"] for i in range(100)]))
    client.sock.shutdown(1)  # SHUT_WR
    assert [client.read() for _ in range(100)] == ["OK"] * 100
    assert client.read_until_closed() == b""


# --- Transactions ---


def test_a_transaction_on_one_shard_runs_as_in_redis(client, reference):
    block = [["MULTI"], ["SET", "{t}a", "1"], ["INCR", "{t}a"], ["LPUSH", "{t}a", "x"],
             ["MGET", "{t}a", "{t}b"], ["DEL", "{t}a", "{t}c"], ["EXEC"]]
    assert client.pipeline(*block) == reference.pipeline(*block)
    assert client.call("EXISTS", "{t}a") == 0


def test_an_empty_transaction_is_empty(client, reference):
    block = [["MULTI"], ["EXEC"]]
    assert client.pipeline(*block) == reference.pipeline(*block)


def test_discard_drops_the_block(client, reference):
    block = [["SET", "{t}a", "0"], ["MULTI"], ["SET", "{t}a", "1"], ["DISCARD"], ["GET", "{t}a"],
             ["DISCARD"], ["EXEC"]]
    answers, expected = client.pipeline(*block), reference.pipeline(*block)
    assert answers == expected


def test_a_bad_command_in_a_block_aborts_it(client, reference):
    for bad in (["NOSUCH"], ["GET"], ["MULTI"]):
        block = [["MULTI"], ["SET", "{t}a", "1"], bad, ["EXEC"], ["GET", "{t}a"]]
        answers, expected = client.pipeline(*block), reference.pipeline(*block)
        kinds = [type(answer) for answer in answers]
        assert kinds == [type(answer) for answer in expected], (bad, answers, expected)
        assert answers[3:] == expected[3:], bad
        for it in (client, reference):
            it.call("DEL", "{t}a")


def test_a_refused_command_in_a_block_aborts_it(client):
    answers = client.pipeline(["MULTI"], ["SET", "{t}a", "1"], ["SUBSCRIBE", "x"], ["EXEC"],
                              ["GET", "{t}a"])
    assert answers[:2] == ["OK", "QUEUED"] and is_error(answers[2], "ERR")
    assert is_error(answers[3], "EXECABORT") and answers[4] is None


def test_a_block_over_several_shards_is_an_error_and_does_nothing(client, shards):
    keys = [group[0] for group in keys_by_shard(client, shards)]
    answers = client.pipeline(["MULTI"], *[["SET", key, "new"] for key in keys], ["EXEC"])
    assert isinstance(answers[-1], Error) and "shard" in answers[-1], answers
    assert client.call("MGET", *keys) == [key.encode() for key in keys]
    assert is_error(client.call("EXEC"), "EXEC without MULTI")


def test_blocks_of_many_clients_do_not_mix(proxy, client):
    client.call("DEL", "{t}n")
    others = [proxy.client() for _ in range(20)]
    for other in others:
        other.send(encode_all(["MULTI"], ["INCR", "{t}n"], ["INCR", "{t}n"], ["GET", "{t}n"],
                              ["EXEC"]))
    for other in others:
        answers = [other.read() for _ in range(5)]
        assert answers[:4] == ["OK", "QUEUED", "QUEUED", "QUEUED"]
        first, second, value = answers[4]
        assert second == first + 1 and value == b"%d" % second
        other.close()
    assert client.call("GET", "{t}n") == b"40"


def test_watch_is_refused_and_unwatch_harmless(client):
    assert is_error(client.call("WATCH", "a"), "ERR 'watch'")
    assert client.call("UNWATCH") == "OK"


# --- The session's own state ---


def test_client_reply_off_silences_until_on(client):
    client.send(encode_all(["CLIENT", "REPLY", "OFF"], ["SET", "a", "1"], ["GET", "a"], ["NOSUCH"],
                           ["MGET", "a", "b", "c"], ["CLIENT", "REPLY", "ON"], ["GET", "a"]))
    assert [client.read(), client.read()] == ["OK", b"1"]
    assert client.is_open()


def test_client_reply_skip_silences_one(client):
    client.send(encode_all(["CLIENT", "REPLY", "SKIP"], ["SET", "a", "2"], ["GET", "a"],
                           ["CLIENT", "REPLY", "SKIP"], ["PING"], ["ECHO", "x"]))
    assert [client.read(), client.read()] == [b"2", b"x"]
    assert client.is_open()


def test_hello_3_turns_replies_into_maps(client):
    greeting = client.call("HELLO", "3")
    assert isinstance(greeting, dict) and greeting[b"proto"] == 3, greeting
    assert client.pipeline(["HSET", "h", "f", "v"], ["HGETALL", "h"]) == [1, {b"f": b"v"}]
    assert client.pipeline(["SADD", "s", "m"], ["SMEMBERS", "s"]) == [1, frozenset([b"m"])]
    assert client.pipeline(["ZADD", "z", "1.5", "m"], ["ZSCORE", "z", "m"]) == [1, 1.5]
    assert client.pipeline(["SET", "a", "x"], ["MGET", "a", "h", "c"]) == ["OK", [b"x", None, None]]
    client.send(encode("GET", "missing"))
    assert client.read_bytes(3) == b"_\r\n"
    greeting = client.call("HELLO", "2")
    assert isinstance(greeting, list) and greeting[greeting.index(b"proto") + 1] == 2
    assert client.call("HGETALL", "h") == [b"f", b"v"]


def test_both_protocols_live_side_by_side(proxy, client):
    client.call("HSET", "h", "f", "v")
    with proxy.client() as newer:
        newer.call("HELLO", "3")
        for _ in range(20):
            assert newer.call("HGETALL", "h") == {b"f": b"v"}
            assert client.call("HGETALL", "h") == [b"f", b"v"]


def test_hello_in_a_pipeline_changes_what_follows_only(client):
    client.call("HSET", "h", "f", "v")
    answers = client.pipeline(["HGETALL", "h"], ["HELLO", "3"], ["HGETALL", "h"], ["HELLO", "2"],
                              ["HGETALL", "h"])
    assert answers[0] == [b"f", b"v"] and answers[2] == {b"f": b"v"} and answers[4] == [b"f", b"v"]


def test_hello_of_another_version_is_noproto(client):
    assert is_error(client.call("HELLO", "4"), "NOPROTO")
    assert client.is_open()


def test_client_commands_answer_about_this_session(proxy, client):
    assert client.call("CLIENT", "GETNAME") in (None, b"")
    assert client.call("CLIENT", "SETNAME", "me") == "OK"
    assert client.call("CLIENT", "GETNAME") == b"me"
    assert client.call("CLIENT", "SETINFO", "LIB-NAME", "x") == "OK"
    assert client.call("CLIENT", "NO-EVICT", "ON") == "OK"
    with proxy.client() as other:
        assert other.call("CLIENT", "ID") != client.call("CLIENT", "ID")
        assert other.call("CLIENT", "GETNAME") in (None, b"")


def test_select_takes_the_pools_database_only(client):
    assert client.call("SELECT", "0") == "OK"
    assert is_error(client.call("SELECT", "1"), "ERR")
    assert client.is_open()


def test_commands_about_commands_answer_as_clients_expect(client, reference):
    info = client.call("COMMAND", "INFO", "get")
    assert info[0][:2] == reference.call("COMMAND", "INFO", "get")[0][:2]
    assert client.call("COMMAND", "COUNT") > 150
    assert len(client.call("COMMAND")) == client.call("COMMAND", "COUNT")
    assert client.call("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2") == [b"a", b"b"]
    assert b"weir" in client.call("INFO").lower()


# --- All shards ---


def test_dbsize_is_the_sum(client, shards):
    keys_by_shard(client, shards, count=5)
    assert client.call("DBSIZE") == sum(shard.call("DBSIZE") for shard in shards)


def test_flushing_is_refused_unless_allowed(lab, client, shards):
    keys_by_shard(client, shards)
    assert is_error(client.call("FLUSHALL"), "allow_flush")
    assert is_error(client.call("FLUSHDB"), "allow_flush")
    assert client.call("DBSIZE") > 0
    with lab.proxy(shards, allow_flush=True).client() as permitted:
        assert permitted.call("FLUSHALL") == "OK"
    assert client.call("DBSIZE") == 0


# --- Configuration that commands meet ---


def test_configured_commands_are_forwarded_by_their_keys(lab, shards):
    extra = "\n   - {name: NEWGET, first_key: 1}\n   - {name: NEWMGET, first_key: 1, last_key: -1}"
    with lab.proxy(shards, commands=extra).client() as client:
        # The server does not know it, so the error is the server's.
        assert client.call("NEWGET", "a") == \
            "ERR unknown command 'NEWGET', with args beginning with: 'a' "
        keys = [group[0] for group in keys_by_shard(client, shards)]
        assert is_error(client.call("NEWMGET", *keys), keys[0], "hash tag")


def test_redis_auth_and_redis_db_hold_on_every_connection(lab):
    servers = lab.redis(2, requirepass="secret")
    proxy = lab.proxy(servers, redis_auth="secret", redis_db=3, server_connections=2,
                      hash="murmur")
    with proxy.client() as client:
        assert is_error(client.call("GET", "a"), "NOAUTH")
        assert is_error(client.call("AUTH", "wrong"), "WRONGPASS")
        assert is_error(client.call("GET", "a"), "NOAUTH")
        assert client.call("AUTH", "secret") == "OK"
        for i in range(100):
            assert client.call("SET", f"k{i}", "v") == "OK"
        assert client.call("SELECT", "3") == "OK"
        assert client.call("DBSIZE") == 100
    others = [proxy.client() for _ in range(8)]
    for other in others:
        assert other.call("AUTH", "secret") == "OK"
        assert other.call("GET", "k1") == b"v"
        assert isinstance(other.call("HELLO", "3", "AUTH", "default", "secret"), dict)
        assert other.call("GET", "k1") == b"v"
    for server in servers:
        upstream = [it for it in server.clients() if it["user"] == "default"]
        assert upstream and all(it["db"] == "3" for it in upstream), upstream
        assert server.call("DBSIZE") == 0  # database 0 is empty
    for other in others:
        other.close()


def test_a_wrong_upstream_password_is_an_error_and_the_session_stays(lab):
    servers = lab.redis(1, requirepass="secret")
    with lab.proxy(servers, redis_auth="other").client() as client:
        assert client.call("AUTH", "other") == "OK"
        assert isinstance(client.call("GET", "a"), Error)
        assert client.is_open()


def test_that_a_shard_speaks_resp2_only_is_known_to_every_worker(lab):
    def behaviour(_, args):
        refused = args[0].upper() == b"HELLO"
        return b"-NOPROTO unsupported protocol version\r\n" if refused else None

    proxy = lab.proxy([lab.fake(behaviour)], threads=2)
    # The second session goes to the other worker.
    with proxy.client() as first, proxy.client() as second:
        assert isinstance(first.call("HELLO", 3), dict)
        assert first.call("GET", "k").startswith("NOPROTO")
        assert eventually(lambda: isinstance(second.call("HELLO", 3), Error))
        assert second.call("GET", "k") is None


def test_writes_are_read_back_over_several_connections_to_a_shard(lab, shards):
    proxy = lab.proxy(shards, server_connections=4)
    with proxy.client() as client:
        for i in range(300):
            assert client.pipeline(["SET", "k", i], ["GET", "k"], ["MGET", "k", "l"]) == \
                ["OK", b"%d" % i, [b"%d" % i, None]]


@pytest.mark.parametrize("threads, server_connections", [(2, 2), (2, 3), (4, 4)])
def test_every_worker_uses_all_its_connections_to_a_shard(lab, threads, server_connections):
    shard = lab.fake()
    proxy = lab.proxy([shard], threads=threads, server_connections=server_connections)
    clients = [proxy.client() for _ in range(4 * threads * server_connections)]
    assert all(client.call("GET", "k") is None for client in clients)
    assert shard.accepted == threads * server_connections
    for client in clients:
        client.close()


def test_shards_are_found_where_the_keys_are(client, shards):
    groups = keys_by_shard(client, shards, count=3)
    for shard, keys in enumerate(groups):
        assert [shard_of(shards, key) for key in keys] == [shard] * 3


def test_idle_sessions_are_kept(proxy):
    clients = [proxy.client() for _ in range(200)]
    assert all(client.call("PING") == "PONG" for client in clients)
    for client in clients:
        client.close()
    assert eventually(proxy.is_running)
