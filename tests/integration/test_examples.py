"""The configurations of deploy/examples work as they stand, with their own ports."""

from own_network import in_own_network
from processes import ROOT, RedisServer, weir_proxy
from resp import Client

EXAMPLES = ROOT / "deploy" / "examples"


@in_own_network
def test_alpha_yml_serves_both_of_its_shards_as_it_stands(lab):
    shards = [RedisServer(f"redis{port}", port=port) for port in (6379, 6380)]
    lab.servers += shards
    for shard in shards:
        shard.start()
    proxy = lab.program("proxy", ("127.0.0.1", 22121), weir_proxy(),
                        "-c", EXAMPLES / "alpha.yml")
    keys = [f"user:{i}" for i in range(200)]
    with proxy.client() as client:
        assert client.pipeline(*[["SET", key, f"of {key}"] for key in keys]) == ["OK"] * len(keys)
        assert client.call("MGET", *keys) == [f"of {key}".encode() for key in keys]
    held = [shard.call("DBSIZE") for shard in shards]
    assert sum(held) == len(keys) and all(held), held


@in_own_network
def test_several_pools_yml_listens_everywhere_as_it_stands(lab):
    proxy = lab.program("proxy", ("127.0.0.1", 22122), weir_proxy(),
                        "-c", EXAMPLES / "several_pools.yml")
    for address in (proxy.address, "/tmp/weir-sessions.sock"):
        with Client(address) as client:
            assert client.call("PING") == "PONG"
    with Client(("::1", 22123)) as client:
        assert "NOAUTH" in client.call("PING")
        assert client.call("AUTH", "change-me") == "OK"
        assert client.call("PING") == "PONG"
