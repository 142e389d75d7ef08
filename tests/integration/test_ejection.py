"""Shards that are ejected and return, and what becomes of their keys."""

from load import Load
from placement import keys_by_shard, shard_of
from resp import Error, eventually

KETAMA = {"hash": "murmur", "distribution": "ketama"}


def test_no_value_is_wrong_while_a_killed_shard_is_ejected_and_after_it_returned(lab):
    shards = lab.redis(3, durable=True)
    proxy = lab.proxy(shards, auto_eject_hosts=True, server_retry_timeout=300, **KETAMA)
    with Load(proxy) as load, proxy.client() as client:
        mark = keys_by_shard(client, shards)[1][0]
        load.run(10)
        assert load.errors == []
        homes = load.homes(shards)
        moving = [key for key, shard in homes.items() if shard == 1]
        load.let_move(moving)
        shards[1].kill()
        assert eventually(lambda: proxy.stats()["pool"]["server_ejects"] == 1)
        load.recovered()
        load.settled()
        until_ejected = len(load.errors)
        load.run(30)
        load.let_move(moving)
        shards[1].start()
        assert eventually(lambda: client.call("SET", mark, "home") == "OK" and
                          shards[1].call("GET", mark) == b"home")
        load.run(5)  # the other worker knows as well
        load.settled()
        load.run(30)
        assert load.errors[until_ejected:] == []
    load.assert_errors_only_on(homes, {1})
    assert proxy.stats()["pool"]["server_ejects"] == 1

    moved = load.verify_moved(shards, homes, 1)
    assert moved
    others = lab.proxy([f"127.0.0.1:{shards[i].port}:1 shard{i}" for i in (0, 2)], **KETAMA)
    with proxy.client() as whole, others.client() as without:
        for key, held in moved.items():
            away, = set(held) - {1}
            assert whole.call("GET", key) == held.get(1), key
            assert without.call("GET", key) == held[away], f"{key} went to {away}"


def test_a_shard_that_is_gone_for_good_is_ejected_and_returns_after_a_probe(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, auto_eject_hosts=True, server_retry_timeout=300, **KETAMA)
    with proxy.client() as client:
        key = keys_by_shard(client, shards)[0][0]
        shards[0].kill()
        assert eventually(lambda: client.call("SET", key, "elsewhere") == "OK")
        assert shard_of(shards[1:], key) == 0
        assert proxy.stats()["pool"]["server_ejects"] == 1
        shards[0].start()
        assert eventually(lambda: client.call("SET", key, "home") == "OK" and
                          shard_of(shards[:1], key) == 0)


def test_the_last_live_shard_is_never_ejected(lab):
    shards = lab.redis(2)
    proxy = lab.proxy(shards, auto_eject_hosts=True, server_retry_timeout=300, **KETAMA)
    with proxy.client() as client:
        for shard in shards:
            shard.kill()

        def ejects():
            answers = client.pipeline(*[["GET", f"k{i}"] for i in range(20)])
            assert all(isinstance(answer, Error) for answer in answers)
            return proxy.stats()["pool"]["server_ejects"]

        assert eventually(ejects) == 1
        for _ in range(50):
            assert ejects() == 1
        for shard in shards:
            shard.start()
        assert eventually(lambda: all(
            client.call("SET", f"k{i}", "x") == "OK" for i in range(20)))
