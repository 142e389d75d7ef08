"""A weir-proxy whose configuration changes all the time: a disturber (disturbers.py) for tests/benchmark/run."""

import os
import signal
import time

import processes

RELOAD_SECONDS = 0.1
RELOADED_WITHIN_SECONDS = 10


def disturb(proxy, stop):
    """Changes of a weir-proxy's file, nine in a second: a shard's weight, a shard less, all as before."""
    plain = [(address, 1) for address in proxy.shards.addresses]
    for servers in [[(plain[0][0], 2)] + plain[1:], plain[:-1], plain] * 3:
        proxy.configure(servers)
        os.kill(proxy.pid, signal.SIGHUP)
        if stop.wait(RELOAD_SECONDS):
            return


def count(proxy):
    """How often `proxy` has changed, at least once; Failed when it refused a change or made none."""
    deadline = time.monotonic() + RELOADED_WITHIN_SECONDS
    while True:
        log = proxy.log.read_text(errors="replace")
        changes = log.count(" reloaded ")
        if " reload_refused " in log or (changes == 0 and time.monotonic() > deadline):
            raise processes.Failed("%s: %d reloads:\n%s" % (proxy.name, changes, log[-2000:]))
        if changes > 0:
            return changes
        time.sleep(0.01)
