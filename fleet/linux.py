"""What Linux can do for processes that look after others, and that Python has no words for.

Where there is no Linux the names are here and do nothing, so that the rest works without.
"""

from __future__ import annotations

import ctypes
import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

_SET_PDEATHSIG: Final = 1  # from linux/prctl.h, like the next
_SET_CHILD_SUBREAPER: Final = 36


def _load_prctl() -> Callable[..., int] | None:
    """Looked up at import: between fork and exec there is no time for a dynamic linker."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
    found: Callable[..., int] = prctl
    return found


prctl: Final = _load_prctl()


def _load_fork() -> Callable[[], int]:
    if sys.platform != "linux":
        return os.fork
    fork = ctypes.PyDLL(None, use_errno=True).fork  # this one keeps the interpreter's lock, in both processes
    found: Callable[[], int] = fork
    return found


_fork: Final = _load_fork()


def fork_alone() -> int:
    """Fork, in a process that has one thread: `os.fork` without what it does for all others.

    After a fork Python makes every lock anew that another thread might have held. With one thread there is nothing
    to mend, and mending it touches, and so copies, some 200 pages. What is kept of it is a new seed for `random`.
    """
    pid = _fork()
    if pid < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if pid == 0:
        random.seed()
    return pid


def ready_teller() -> Callable[[], None]:
    """What tells systemd, where it waits to hear that, that this process is ready (sd_notify(3)).

    To be asked for before other processes are started: from then on they do not know where to tell it.
    """
    address = os.environ.pop("NOTIFY_SOCKET", "")

    def tell() -> None:
        import socket

        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)

    return tell if address else lambda: None


def follow_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, process number `parent`, dies; exit if it is gone already.

    The binding is to the parent's *thread* that forked, and a change of user ends it.
    """
    if prctl is not None:
        prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the binding held
            os._exit(1)


def adopt_orphans(wanted: bool) -> None:
    """Whether what our descendants leave behind comes to us instead of to init."""
    if prctl is not None:
        prctl(_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


def offspring() -> list[int]:
    """All children of this process, the dead ones included; none where the kernel does not tell."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def address_space() -> int:
    """The bytes of this process's address space; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def descriptors(wanted: int) -> int:
    """Raise this process's limit of open files to so many, if it may; returns how many it may have now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def oom_kills() -> int | None:
    """How many processes the kernel has killed for memory since it started; None where it does not tell."""
    try:
        counts = Path("/proc/vmstat").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in counts.splitlines() if line.startswith("oom_kill ")), None)
