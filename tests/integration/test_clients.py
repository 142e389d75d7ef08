"""Real clients, connected with their default settings, each doing 1,000 verified random operations.

Every reply is compared with what a model in memory says it must be. The Node and Go clients do the
same by themselves (clients/); what they need is installed outside the checkout, once per lock file.
"""

import asyncio
import hashlib
import os
import pathlib
import random
import shutil
import subprocess

import pytest
import redis
import redis.asyncio

OPERATIONS = 1000
PROTOCOLS = {"default": {}, "RESP2": {"protocol": 2}, "RESP3": {"protocol": 3}}
HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("WEIR_CACHE", pathlib.Path.home() / ".cache/weir"))


@pytest.fixture(scope="module")
def proxy(module_lab):
    return module_lab.proxy(module_lab.redis(3), hash="murmur", hash_tag='"{}"',
                            auto_eject_hosts=True)


class Model:
    """Random operations with the replies they must have. Works for any client whose methods have
    redis-py's names; `step` returns (method, arguments, expected)."""

    def __init__(self, prefix, seed):
        self.random = random.Random(seed)
        self.prefix = prefix
        self.strings, self.counters, self.hashes, self.lists = {}, {}, {}, {}

    def name(self):
        return f"{self.prefix}:{self.random.randrange(100)}"

    def names(self):
        return [self.name() for _ in range(self.random.randint(1, 8))]

    def value(self):
        return self.random.randbytes(self.random.choice([0, 1, 20, 300, 5000])) + b"\r\n"

    def step(self):
        return self.random.choice([self.set, self.get, self.mset, self.mget, self.delete,
                                   self.exists, self.incr, self.hset, self.hgetall, self.rpush,
                                   self.lrange])()

    def set(self):
        name, value = self.name(), self.value()
        self.strings[name] = value
        return "set", (name, value), True

    def get(self):
        name = self.name()
        return "get", (name,), self.strings.get(name)

    def mset(self):
        pairs = {name: self.value() for name in self.names()}
        self.strings.update(pairs)
        return "mset", (pairs,), True

    def mget(self):
        names = self.names()
        return "mget", (names,), [self.strings.get(name) for name in names]

    def delete(self):
        names = self.names()
        return "delete", names, sum(self.strings.pop(name, None) is not None for name in names)

    def exists(self):
        names = self.names()
        return "exists", names, sum(name in self.strings for name in names)

    def incr(self):
        name = self.name() + ":counter"
        self.counters[name] = self.counters.get(name, 0) + 1
        return "incr", (name,), self.counters[name]

    def hset(self):
        name, field = self.name() + ":hash", str(self.random.randrange(5))
        fields = self.hashes.setdefault(name, {})
        value = self.value()
        added = field.encode() not in fields
        fields[field.encode()] = value
        return "hset", (name, field, value), int(added)

    def hgetall(self):
        name = self.name() + ":hash"
        return "hgetall", (name,), dict(self.hashes.get(name, {}))

    def rpush(self):
        name, value = self.name() + ":list", self.value()
        items = self.lists.setdefault(name, [])
        items.append(value)
        return "rpush", (name, value), len(items)

    def lrange(self):
        name = self.name() + ":list"
        return "lrange", (name, 0, -1), list(self.lists.get(name, []))

    def pipeline(self, pipe):
        """Fills a transaction on one shard; returns what it must answer."""
        name, value = "{t}" + self.name(), self.value()
        pipe.set(name, value).get(name).append(name, b"x").mget(name, name + "?").delete(name)
        return [True, value, len(value) + 1, [value + b"x", None], 1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_redis_py_does_verified_operations(proxy, protocol):
    model = Model(f"sync:{protocol}", seed=1)
    with redis.Redis(port=proxy.port, **PROTOCOLS[protocol]) as client:
        for i in range(OPERATIONS):
            if i % 10 == 0:
                with client.pipeline() as pipe:
                    expected = model.pipeline(pipe)
                    assert pipe.execute() == expected
                continue
            method, args, expected = model.step()
            assert getattr(client, method)(*args) == expected, (method, args)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_redis_py_asyncio_does_verified_operations(proxy, protocol):
    async def one_client(client, number):
        model = Model(f"async{number}:{protocol}", seed=number)
        for i in range(OPERATIONS // 10):
            if i % 10 == 0:
                async with client.pipeline() as pipe:
                    expected = model.pipeline(pipe)
                    assert await pipe.execute() == expected
                continue
            method, args, expected = model.step()
            assert await getattr(client, method)(*args) == expected, (method, args)

    async def ten_at_a_time():
        async with redis.asyncio.Redis(port=proxy.port, **PROTOCOLS[protocol]) as client:
            await asyncio.gather(*(one_client(client, number) for number in range(10)))

    asyncio.run(ten_at_a_time())


# The default pipeline is a transaction, whose keys must be on one shard.
@pytest.mark.parametrize("options, prefix", [({}, "{pipe}"), ({"transaction": False}, "plain")],
                         ids=["default", "without a transaction"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_redis_py_pipelines_do_verified_operations(proxy, protocol, options, prefix):
    model = Model(f"{prefix}:{protocol}", seed=4)
    with redis.Redis(port=proxy.port, **PROTOCOLS[protocol]) as client:
        for _ in range(OPERATIONS // 50):
            steps = [model.step() for _ in range(50)]
            with client.pipeline(**options) as pipe:
                for method, args, _ in steps:
                    getattr(pipe, method)(*args)
                assert pipe.execute() == [expected for _, _, expected in steps]


def test_the_random_operations_reach_every_shard(module_lab, proxy):
    with redis.Redis(port=proxy.port) as client:
        model = Model("spread", seed=7)
        for method, args, _ in (model.step() for _ in range(100)):
            getattr(client, method)(*args)
    assert all(shard.call("DBSIZE") > 0 for shard in module_lab.servers)


def test_redis_py_raises_for_a_transaction_over_several_shards(proxy):
    with redis.Redis(port=proxy.port) as client, client.pipeline() as pipe:
        for i in range(50):
            pipe.set(f"over:{i}", i)
        with pytest.raises(redis.ResponseError, match="shard"):
            pipe.execute()
        assert client.ping()


def cached(kind, files, make):
    """A folder below the cache for this content of `files`, filled by make(folder) the first time."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    folder = CACHE / kind / digest.hexdigest()[:16]
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / "complete").touch()
    return folder


def run(*command, **options):
    """Runs a program; its output is in the message when it fails."""
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False, **options)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def node_program():
    files = [HERE / "clients/node" / name
             for name in ("package.json", "package-lock.json", "clients.mjs")]

    def make(folder):
        for file in files:
            shutil.copy(file, folder)
        run("npm", "ci", "--no-audit", "--no-fund", cwd=folder)

    return cached("node", files, make) / "clients.mjs"


@pytest.mark.parametrize("library", ["ioredis", "redis"])
def test_node_clients_do_verified_operations(proxy, node_program, library):
    output = run("node", node_program, library, proxy.port, OPERATIONS, 5)
    assert f"{OPERATIONS} operations verified" in output


@pytest.fixture(scope="module")
def go_program():
    source = HERE / "clients/go"
    files = [source / name for name in ("go.mod", "go.sum", "main.go")]

    def make(folder):
        run("go", "build", "-buildvcs=false", "-o", folder / "clients", ".", cwd=source)

    return cached("go", files, make) / "clients"


def test_go_redis_does_verified_operations(proxy, go_program):
    output = run(go_program, proxy.port, OPERATIONS, 6)
    assert f"{OPERATIONS} operations verified" in output
