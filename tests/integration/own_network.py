"""Tests that need a network to themselves, because they use fixed ports or host names."""

import ctypes
import errno
import functools
import os
import subprocess
import tempfile
import traceback

import pytest

import processes

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_LIBC = ctypes.CDLL(None, use_errno=True)


def in_own_network(test, programs=("weir-proxy",)):
    """Runs a test that takes `lab` in a process with a network namespace of its own, whose loopback
    is up, whose ports are all free and whose /etc/hosts is the test's own (`set_hosts`). Nothing
    outside changes. `programs` are what it runs. Root needs no more for it; others need user namespaces. Where there are neither
    the test fails."""

    @functools.wraps(test)
    def run_in_child(lab):
        for name in programs:
            processes.program(name)  # a build is outside: it needs the machine's network
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            os.write(write_end, _failure_of(test, lab).encode(errors="replace"))
            os._exit(0)  # nothing of the parent's is to be ended here
        os.close(write_end)
        with open(read_end, errors="replace") as pipe:
            failure = pipe.read()
        _, status = os.waitpid(child, 0)
        if failure or status:
            pytest.fail(failure or f"the test's process ended with {status}", pytrace=False)

    return run_in_child


def set_hosts(**addresses):
    """From now on each name stands for its addresses, and no other name for any. Only in a test that
    is `in_own_network`."""
    _write("/etc/hosts", "".join(f"{address} {name}\n" for name, of_name in addresses.items()
                                 for address in of_name))


def _failure_of(test, lab):
    """What went wrong, with the servers' logs; empty when nothing did."""
    said = ""
    for step in (lambda: (_enter(), test(lab)), lab.end):
        try:
            step()
        except BaseException:  # pylint: disable=broad-except  # the parent raises it
            said += traceback.format_exc()
            for server in processes.RUNNING:
                said += f"--- log of {server.name} at {server.address}\n{server.log()}"
    return said


def _unshare(flags):
    return ctypes.get_errno() if _LIBC.unshare(flags) else 0


def _enter():
    user, group = os.geteuid(), os.getegid()
    error = _unshare(_CLONE_NEWNET | _CLONE_NEWNS)
    if error == errno.EPERM:
        error = _unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWNS)
        if not error:
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"0 {user} 1")
            _write("/proc/self/gid_map", f"0 {group} 1")
    assert not error, (f"no network namespace can be made here: {os.strerror(error)}. This needs "
                       "CAP_SYS_ADMIN, or user namespaces (sysctl user.max_user_namespaces, "
                       "kernel.unprivileged_userns_clone; in a container also its seccomp profile)")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    _mount("none", "/", _MS_REC | _MS_PRIVATE)  # what is mounted here is not seen elsewhere
    with tempfile.NamedTemporaryFile() as hosts:
        _mount(hosts.name, "/etc/hosts", _MS_BIND)


def _mount(source, target, flags):
    assert _LIBC.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None) == 0, \
        f"mount of {target}: {os.strerror(ctypes.get_errno())}"


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
