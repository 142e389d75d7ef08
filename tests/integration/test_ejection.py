"""Shards that are ejected and return: what becomes of their keys, by the values that the shards hold."""

from load import Load
from placement import keys_by_shard, shard_of
from resp import Error, eventually

KETAMA = {"hash": "murmur", "distribution": "ketama"}


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
