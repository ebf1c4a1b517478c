"""One job's process: forked by the zygote, it does the job, says what came of it, and is gone.

Rule 1: it owns nothing but its input, read-only, its channel to the pool, and the limits set here. Rule 2: it never
returns and never lets an exception out. Rule 3: whatever it does wrong ends with it; the pool reads its records, or
their absence.

A function returns its result, or yields its parts: each is with the client before the next is made.
"""

from __future__ import annotations

import math
import mmap
import os
import resource
import signal
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, NoReturn

from fleet.linux import follow_parent
from fleet.settings import PoolLimits
from fleet.workers import channel
from fleet.workers.channel import Kind
from fleet.workers.functions import ran_short, str_of
from fleet.workers.kit import Function, Part
from fleet.workers.sandbox import Sandbox

INPUT: Final = 3  # the descriptors it is left with, besides the standard ones
CHANNEL: Final = 4


class Terms(NamedTuple):
    """What holds for all runners of a zygote."""

    limits: PoolLimits
    sandbox: Sandbox
    base_bytes: int  # address space that the zygote has already
    parent: int  # its process number, from before the fork


def run(functions: Mapping[str, Function], fds: tuple[int, int], memory_bytes: int, terms: Terms) -> NoReturn:
    """Be the runner. `fds` are its input and its channel, `memory_bytes` is what it may have of memory."""
    code = 1
    try:
        _become_a_runner(fds, memory_bytes, terms)
        code = _serve(functions)
    finally:
        os._exit(code)


def _become_a_runner(fds: tuple[int, int], memory_bytes: int, terms: Terms) -> None:
    os.setsid()
    os.chdir("/")
    terms.sandbox.change_user()
    follow_parent(terms.parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write to a file is an error, and has a text
    _move(fds, terms.sandbox.ruleset)
    _limit(memory_bytes, terms)
    terms.sandbox.enter()


def _move(fds: tuple[int, int], kept: int) -> None:
    """The two descriptors to their places, and all others away; but for the one that the sandbox closes itself."""
    held = [os.dup(fd) for fd in fds]  # so that neither is overwritten by the other's move
    for fd, place in zip(held, (INPUT, CHANNEL), strict=True):
        os.dup2(fd, place, inheritable=False)
    kept = max(kept, CHANNEL)
    os.closerange(CHANNEL + 1, kept)
    os.closerange(kept + 1, 1 << 20)


def _limit(memory_bytes: int, terms: Terms) -> None:
    limits = terms.limits
    seconds = math.ceil(limits.deadline_s) + 1  # reached before the deadline by several threads only
    most = {
        resource.RLIMIT_AS: (terms.base_bytes + memory_bytes,) * 2,
        resource.RLIMIT_CPU: (seconds, seconds + 1),  # SIGXCPU, then SIGKILL
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_NOFILE: (limits.open_files,) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    if terms.sandbox.counts_processes:
        most[resource.RLIMIT_NPROC] = (limits.processes,) * 2
    for limit, (soft, hard) in most.items():
        inherited = resource.getrlimit(limit)[1]
        if inherited != resource.RLIM_INFINITY:  # a lower one than ours stays, for only root could raise it
            soft, hard = min(soft, inherited), min(hard, inherited)
        resource.setrlimit(limit, (soft, hard))


def _serve(functions: Mapping[str, Function]) -> int:
    body = _receive()
    if body is not None:
        _do(functions, channel.errand(body))
    return 0


def _receive() -> bytes | None:
    """The body of the next errand; None if there is none any more."""
    start = _read(channel.HEAD.size)
    return _read(channel.HEAD.unpack(start)[1]) if start else None


def _read(size: int) -> bytes:
    """So many bytes of the channel, or none at its end."""
    data = b""
    while len(data) < size:
        more = os.read(CHANNEL, size - len(data))
        if not more:
            return b""
        data += more
    return data


def _do(functions: Mapping[str, Function], errand: channel.Errand) -> None:
    try:
        result = functions[errand.function](_workload(errand.offset, errand.length))
        if isinstance(result, Iterator):
            for part in result:
                _pass_on(part)
            result = b""
    except BaseException as error:
        kind = Kind.SHORT if ran_short(error) else Kind.ERROR
        _send(kind, str_of(error).encode("utf-8", "replace"))
    else:
        _send(Kind.RESULT, result)


def _pass_on(part: Part) -> None:
    if isinstance(part, channel.Progress):
        _write(channel.status(part))
    else:
        _send(Kind.DATA, part)


def _workload(offset: int, length: int) -> memoryview:
    if not length:
        return memoryview(b"")
    # All pages in one call: one by one, on demand, they would cost more than the copy that this mapping saves.
    flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
    return memoryview(mmap.mmap(INPUT, offset + length, flags=flags, prot=mmap.PROT_READ))[offset:]


def _send(kind: Kind, body: bytes) -> None:
    _write(channel.head(kind, len(body)), body)


def _write(*parts: bytes) -> None:
    for part in parts:
        left = memoryview(part)
        while left:
            left = left[os.write(CHANNEL, left) :]
