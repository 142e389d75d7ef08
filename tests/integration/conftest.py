"""What every test can ask for: `lab`, which starts servers and proxies and clears up after the test."""

import pytest

import fake_shard
import processes


class Lab:
    """The servers and proxies of one test (or of one module)."""

    def __init__(self):
        self.servers = []
        self._proxies = []
        self._fakes = []

    def redis(self, count, **settings):
        """`count` running redis servers."""
        servers = [processes.RedisServer(f"redis{i}", **settings) for i in range(count)]
        self.servers += servers
        return [server.start() for server in servers]

    def fake(self, behaviour=None):
        shard = fake_shard.FakeShard(behaviour)
        self._fakes.append(shard)
        return shard

    def proxy(self, servers, **keys):
        """A running weir-proxy in front of `servers`."""
        proxy = processes.Proxy(servers, **keys)
        self._proxies.append(proxy)
        return proxy.start()

    def program(self, name, address, *command):
        """Any other program that serves at `address` and has to end as well as a proxy."""
        program = processes.Server(name, address)
        self._proxies.append(program)
        return program.start(*command)

    def end(self):
        try:
            for proxy in self._proxies:
                if proxy.process is not None and proxy in processes.RUNNING:
                    proxy.stop()
        finally:
            for server in self._proxies + self.servers:
                server.remove()
            for fake in self._fakes:
                fake.stop()


@pytest.fixture
def lab():
    it = Lab()
    yield it
    it.end()


@pytest.fixture(scope="module")
def module_lab():
    it = Lab()
    yield it
    it.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and not hasattr(report, "wasxfail"):
        for server in processes.RUNNING:
            report.sections.append((f"log of {server.name} at {server.address}", server.log()))
    return report
