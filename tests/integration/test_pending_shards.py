"""Shards that a control plane knows by host name: real weir-control, weir-proxy, weirctl and redis."""

import functools
import os
import subprocess
import threading

import own_network
import processes
from own_network import set_hosts
from processes import RedisServer
from resp import Client, eventually

PORT = 6379
POOL = ("127.0.0.1", 22121)
KEYS = [f"key:{i}" for i in range(500)]

in_own_network = functools.partial(own_network.in_own_network,
                                   programs=("weir-proxy", "weir-control", "weirctl"))


class Fleet:
    """One weir-control and one proxy, which serves the pool `alpha` with the shard a."""

    def __init__(self, lab):
        self.lab = lab
        set_hosts(**{"a.test": ["127.0.0.2"]})
        self.a = self.shard("127.0.0.2")
        self.start_control()
        (self.control.directory / "alpha.yml").write_text(
            processes.pool_text("alpha", "127.0.0.1:22121", [f"a.test:{PORT}:1 a"], redis=True))
        self.ctl("import", self.control.directory / "alpha.yml", "--yes")
        self.proxy = lab.program("proxy", POOL, processes.program("weir-proxy"), "--threads=2",
                                 "--control=127.0.0.1:18000", "--node-id=p1")

    def start_control(self):
        self.control = self.lab.program("control", ("127.0.0.1", 18001),
                                        processes.program("weir-control"),
                                        "--data-dir", self.a.directory / "control")

    def shard(self, address):
        shard = RedisServer(f"redis-{address}", bind=address, port=PORT)
        self.lab.servers.append(shard)
        return shard.start()

    def ctl(self, *words):
        """What weirctl says; it is to succeed."""
        done = subprocess.run([processes.program("weirctl"), *map(str, words)],
                              env={**os.environ, "HOME": str(self.a.directory)},
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Traffic:
    """Clients that write and read, from `with` to its end. No request may fail, and what is read is
    what was written, or nothing where the key has moved."""

    def __init__(self, clients=4):
        self.stopping = threading.Event()
        self.failures = []
        self.rounds = [0] * clients
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True)
                        for i in range(clients)]

    def _run(self, number):
        try:
            with Client(POOL, seconds=10) as client:
                while not self.stopping.is_set():
                    for key in KEYS[number::len(self.rounds)]:
                        assert client.call("SET", key, key) == "OK"
                        answer = client.call("GET", key)
                        assert answer in (None, key.encode()), f"{key}: {answer}"
                    self.rounds[number] += 1
        except Exception as failure:  # pylint: disable=broad-except  # shown at the end
            self.failures.append(f"{failure!r}")

    def rounds_pass(self):
        """Returns when every client has written all of its keys since."""
        goals = [count + 2 for count in self.rounds]
        assert eventually(lambda: self.failures or all(
            count >= goal for count, goal in zip(self.rounds, goals)), 60)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.rounds_pass()
        return self

    def __exit__(self, kind, *exception):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        assert self.failures == []


@in_own_network
def test_a_shard_that_is_added_by_name_fails_no_request(lab):
    fleet = Fleet(lab)
    b = fleet.shard("127.0.0.3")
    set_hosts(**{"a.test": ["127.0.0.2"], "b.test": ["127.0.0.3"]})
    with Traffic() as traffic:
        said = fleet.ctl("add-shard", "alpha", "b", f"b.test:{PORT}", "--yes")
        assert "waits" not in said and "1 of 1 proxies have acknowledged" in said
        traffic.rounds_pass()
    assert b.call("DBSIZE") > 100


@in_own_network
def test_a_shard_whose_name_has_no_address_takes_no_key_until_it_has_one(lab):
    fleet = Fleet(lab)
    b = fleet.shard("127.0.0.3")
    with Traffic() as traffic:
        said = fleet.ctl("add-shard", "alpha", "b", f"b.test:{PORT}", "--yes")
        assert f"shard b waits for an address of b.test:{PORT}" in said
        traffic.rounds_pass()
        assert fleet.a.call("DBSIZE") == len(KEYS)
        assert "1 shard waits" in fleet.ctl("get", "pools")
        assert "pending" in fleet.ctl("get", "shards", "alpha")

        fleet.control.kill()
        fleet.start_control()
        assert "pending" in fleet.ctl("get", "shards", "alpha")
        traffic.rounds_pass()
        assert fleet.a.call("DBSIZE") == len(KEYS)

        set_hosts(**{"a.test": ["127.0.0.2"], "b.test": ["127.0.0.3"]})
        assert eventually(lambda: "pending" not in fleet.ctl("get", "shards", "alpha"), 60)
        assert "weir-control  address found" in fleet.ctl("get", "versions", "alpha")
        assert eventually(lambda: b.call("DBSIZE") > 100, 60)
        traffic.rounds_pass()
    versions = fleet.ctl("get", "versions", "alpha").splitlines()
    assert len(versions) == 4, versions  # the title, created, added, found
