"""What the benchmark programs share: where the binaries are, which CPUs are used, what a run was."""

import copy
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time

import processes
import variants

OPTIMISED = "--config=opt"
LOAD_TARGETS = ["//tests/benchmark:responder", "//tests/benchmark:load_generator"]
WEIR_TARGET = "//proxy:weir-proxy"


class Bench:
    """What every part of one benchmark run needs. `folder` is for files of the processes."""

    def __init__(self, arguments, folder):
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy_cpus = {arguments.proxy_cpu if arguments.proxy_cpu is not None else cpus[0]}
        self.load_cpus = {arguments.load_cpu if arguments.load_cpu is not None else cpus[1 % len(cpus)]}
        self.nice = arguments.nice
        self.ports = processes.Ports(arguments.port_base)
        self.folder = pathlib.Path(folder)
        built = built_folder()
        self.binaries = built / "tests" / "benchmark"
        self.weir_binaries = {"weir": built / "proxy" / "weir-proxy", **arguments.binary}
        if self.proxy_cpus == self.load_cpus:
            print("warning: one core for proxy and load; latencies and rates mean little")

    def sharing_cpus(self):
        """The same with all CPUs for everybody."""
        shared = copy.copy(self)
        shared.proxy_cpus = shared.load_cpus = self.proxy_cpus | self.load_cpus
        return shared


def add_common_arguments(parser):
    parser.add_argument("--binary", action="append", default=[], metavar="NAME=PATH",
                        help="one more proxy NAME: another build of weir-proxy")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, raw ones included")
    parser.add_argument("--no-build", action="store_true", help="use the binaries as they are")
    parser.add_argument("--proxy-cpu", type=int)
    parser.add_argument("--load-cpu", type=int)
    parser.add_argument("--nice", type=int, default=0,
                        help="niceness of everything started; negative, as root, on a machine with other work")
    parser.add_argument("--port-base", type=int, default=22800, help="first TCP port to try")


def parse(parser, smoke):
    """The arguments; `--binary` as a dict, and with `--smoke` those of `smoke` instead of the given ones."""
    arguments = parser.parse_args()
    arguments.binary = dict(entry.split("=", 1) for entry in arguments.binary)
    if arguments.smoke:
        for name, value in smoke.items():
            setattr(arguments, name, value)
    return arguments


def build(proxies):
    build_targets(LOAD_TARGETS + ([WEIR_TARGET] if "weir" in map(variants.program, proxies) else []))


def build_targets(targets):
    done = subprocess.run(["bazel", "build", OPTIMISED] + targets, cwd=processes.ROOT, check=False)
    if done.returncode != 0:
        sys.exit("the build failed")


def built_folder():
    """Where optimised binaries are; the bazel-bin link may point to those of another configuration."""
    done = subprocess.run(["bazel", "info", OPTIMISED, "bazel-bin"], cwd=processes.ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True)
    return pathlib.Path(done.stdout.strip())


def allow_many_files():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def describe_run(arguments):
    return {**describe_machine(), "rounds": arguments.rounds, "seconds": arguments.seconds,
            "warmup": arguments.warmup}


def describe_machine():
    """When, what and where was measured."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=processes.ROOT, capture_output=True, text=True,
                            check=False).stdout.strip()
    return {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": commit,
            "kernel": platform.release(), "cpus": os.cpu_count()}
