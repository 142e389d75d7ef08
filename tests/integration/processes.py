"""Real servers and proxies for a test: started, waited for, stopped by their pid.

Each has a directory of its own, logs to a file in it, and dies with the test run whatever happens
to that (PR_SET_PDEATHSIG). `RUNNING` is what is alive now; a failed test shows their logs.
"""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import resp

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 20
STOP_SECONDS = 20
TERMINATE = signal.SIGTERM
LOG_TAIL = 6000
LOCALHOST = "127.0.0.1"
RUNNING = []

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class _Ports:
    """Free TCP ports of loopback, counted upwards. They are below the ephemeral range, so that a
    server finds its port free again after a restart."""

    FIRST, LAST = 23800, 24299

    def __init__(self):
        self._next = self.FIRST + os.getpid() % 200

    def take(self, host=LOCALHOST):
        for _ in range(self.LAST - self.FIRST):
            port = self._next
            self._next = self.FIRST if port == self.LAST else port + 1
            with socket.socket(resp.family_of((host, port))) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                    return port
                except OSError:
                    continue
        raise RuntimeError("no free port")


PORTS = _Ports()


_FOLDERS = {"weir-proxy": "proxy", "weir-control": "controlplane", "weirctl": "controlplane/ctl"}


def program(name):
    """A program under test: $WEIR_PROXY, $WEIR_CONTROL or $WEIRCTL, else Bazel's (with the options of
    $WEIR_BAZEL_OPTIONS, such as --config=asan), built now."""
    variable = name.upper().replace("-", "_")
    if variable not in os.environ:
        options = os.environ.get("WEIR_BAZEL_OPTIONS", "").split()
        subprocess.run(["bazel", "build", *options, f"//{_FOLDERS[name]}:{name}"], cwd=ROOT,
                       check=True)
        folder = subprocess.run(["bazel", "info", *options, "bazel-bin"], cwd=ROOT, check=True,
                                capture_output=True, text=True).stdout.strip()
        os.environ[variable] = f"{folder}/{_FOLDERS[name]}/{name}"
    return os.environ[variable]


def weir_proxy():
    return program("weir-proxy")


class Server:
    """A process that serves at `address`."""

    exit_codes = (0,)  # of one that was asked to end

    def __init__(self, name, address):
        self.name = name
        self.address = address
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"weir-{name}-"))
        self.process = None

    def start(self, *command):
        with open(self.directory / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command], cwd=self.directory, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
                preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
        RUNNING.append(self)
        assert resp.eventually(self._serves, START_SECONDS), \
            f"{self.name} does not serve\n{self.log()}"
        return self

    def _serves(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}\n{self.log()}")
        try:
            resp.connect(self.address).close()
            return True
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9; returns when the process is gone."""
        if self.is_running():
            self.signal(signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
        if self in RUNNING:
            RUNNING.remove(self)

    def stop(self, number=TERMINATE):
        """Asks it to end; one that crashed before or now, or outlives that, is a failure."""
        assert self.is_running(), f"{self.name} ended with {self.process.returncode}\n{self.log()}"
        self.signal(number)
        self.assert_ends()

    def assert_ends(self):
        """It has been asked to end, and does so well."""
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end\n{self.log()}") from None
        RUNNING.remove(self)
        assert code in self.exit_codes, f"{self.name} ended with {code}\n{self.log()}"

    def remove(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self, **options):
        return resp.Client(self.address, **options)

    def log(self):
        try:
            text = (self.directory / "output").read_text(errors="replace")
        except OSError:
            return ""
        return text if len(text) <= LOG_TAIL else "...\n" + text[-LOG_TAIL:]

    def _status_bytes(self, name):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"{self.name} is gone")

    def memory(self):
        """Resident bytes."""
        return self._status_bytes("VmRSS")

    def peak_memory(self):
        """The most resident bytes since its start or the last `forget_peak_memory`."""
        return self._status_bytes("VmHWM")

    def forget_peak_memory(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def descriptors(self):
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class RedisServer(Server):
    """redis-server on a TCP port. `durable`: what it acknowledged survives kill -9."""

    def __init__(self, name, durable=False, bind=LOCALHOST, port=None, **settings):
        self.port = port or PORTS.take(bind)
        super().__init__(name, (bind, self.port))
        self.settings = {"bind": bind, "port": self.port, "save": "", "maxclients": 5000,
                         "appendonly": "yes" if durable else "no", "appendfsync": "no",
                         "enable-debug-command": "yes", "loglevel": "warning",
                         "proto-max-bulk-len": "1gb"}
        self.settings.update({key.replace("_", "-"): value for key, value in settings.items()})

    def start(self):
        words = []
        for key, value in self.settings.items():
            words += [f"--{key}", value]
        super().start("redis-server", *words)
        assert resp.eventually(self._is_loaded, START_SECONDS), self.log()
        return self

    def _is_loaded(self):
        with self.client() as client:
            answer = client.call("PING")
        return answer == "PONG" or str(answer).startswith("NOAUTH")

    def call(self, *args):
        """One command sent to the server itself."""
        with self.client() as client:
            if "requirepass" in self.settings:
                client.call("AUTH", self.settings["requirepass"])
            return client.call(*args)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def clients(self):
        """CLIENT LIST as dicts, without the connection that asks."""
        lines = self.call("CLIENT", "LIST").decode().splitlines()
        found = [dict(word.split("=", 1) for word in line.split(" ")) for line in lines]
        return [client for client in found if not client["cmd"].startswith("client")]


def listen_text(host, port):
    """As YAML; only an IPv6 address needs the brackets and the quotes."""
    return f'"[{host}]:{port}"' if ":" in host else f"{host}:{port}"


def pool_text(name, listen, servers, **keys):
    """One pool of a configuration file. `servers`: anything with an `address`, or whole lines."""
    lines = [f"{name}:", f"  listen: {listen}"]
    for key, value in keys.items():
        lines.append(f"  {key}: {str(value).lower() if isinstance(value, bool) else value}")
    lines.append("  servers:")
    for index, server in enumerate(servers):
        if not isinstance(server, str):
            host, port = server.address
            server = f"{host}:{port}:1 shard{index}"
        lines.append(f"   - {server}")
    return "\n".join(lines) + "\n"


class Proxy(Server):
    """weir-proxy with one pool; `keys` are the pool's keys in the configuration file. `program`: the
    path of another that takes the same file and flags, in practice nutcracker."""

    def __init__(self, servers, threads=2, flags=(), program=None, open_files=None, host=LOCALHOST,
                 port=None, **keys):
        self.port = port or PORTS.take(host)
        super().__init__("proxy", (host, self.port))
        self.stats_port = PORTS.take(host)
        self.program = program or weir_proxy()
        self.limits = ["prlimit", f"--nofile={open_files}"] if open_files else []
        self.flags = list(flags)
        if program is None:
            self.flags += ["--threads", threads, "--drain-timeout", 2000]
        else:
            self.exit_codes = (0, -TERMINATE)
        (self.directory / "proxy.yml").write_text(
            pool_text("pool", listen_text(host, self.port), servers, **{"redis": True, **keys}))

    def start(self):
        return super().start(*self.limits, self.program, "-c", "proxy.yml", "-s", self.stats_port,
                             "-a", self.address[0], *self.flags)

    def stats(self):
        """What the stats port says."""
        with resp.connect((self.address[0], self.stats_port)) as connection:
            return json.load(connection.makefile())
