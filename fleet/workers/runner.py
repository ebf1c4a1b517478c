"""A job's process: forked and locked in before there is a job, it does the one it gets, says what came of it, and is
gone. Where isolation is not by job, it does many.

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
from fleet.settings import Containment, PoolLimits
from fleet.workers import channel
from fleet.workers.channel import Kind
from fleet.workers.functions import ran_short, str_of
from fleet.workers.kit import Function, Part
from fleet.workers.sandbox import Sandbox

INPUT: Final = 3  # the descriptors it is left with, besides the standard ones
CHANNEL: Final = 4
KIB: Final = 1024


class Terms(NamedTuple):
    """What holds for all runners of a zygote; reckoned once, because a runner pays for every page it touches."""

    sandbox: Sandbox
    most: dict[int, tuple[int, int]]  # the limits of resources, soft and hard, but for memory; empty: there are none
    base_bytes: int  # address space that the zygote has already
    parent: int  # its process number, from before the fork
    jobs: int  # that a runner does, one after the other
    peak_kib: int  # one that ever held more does no other


def terms(limits: PoolLimits, containment: Containment, sandbox: Sandbox, base_bytes: int) -> Terms:
    jobs = 1 if containment.isolation == "job" else limits.runner_jobs
    most = {} if containment.isolation == "none" else _most(limits, jobs, sandbox.counts_processes)
    return Terms(sandbox, most, base_bytes, os.getpid(), jobs, limits.runner_bytes // KIB)


def _most(limits: PoolLimits, jobs: int, counts_processes: bool) -> dict[int, tuple[int, int]]:
    seconds = jobs * (math.ceil(limits.deadline_s) + 1)  # reached before the deadline by several threads only
    wanted = {
        resource.RLIMIT_CPU: (seconds, seconds + 1),  # SIGXCPU, then SIGKILL
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_NOFILE: (limits.open_files,) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    if counts_processes:
        wanted[resource.RLIMIT_NPROC] = (limits.processes,) * 2
    return {limit: _lower(limit, *pair) for limit, pair in wanted.items()}


def _lower(limit: int, soft: int, hard: int) -> tuple[int, int]:
    """A limit that is lower already stays, for only root could raise it."""
    inherited = resource.getrlimit(limit)[1]
    return (soft, hard) if inherited == resource.RLIM_INFINITY else (min(soft, inherited), min(hard, inherited))


def run(functions: Mapping[str, Function], fds: tuple[int, int], memory_bytes: int, terms: Terms) -> NoReturn:
    """Be the runner. `fds` are its input and its channel, `memory_bytes` is what it may have of memory."""
    code = 1
    try:
        _become_a_runner(fds, memory_bytes, terms)
        _serve(functions, terms)
        code = 0
    finally:
        os._exit(code)


def _become_a_runner(fds: tuple[int, int], memory_bytes: int, terms: Terms) -> None:
    os.setsid()
    terms.sandbox.change_user()
    follow_parent(terms.parent)
    signal.set_wakeup_fd(-1)  # of the zygote's loop; what it ignores is the pool's business here too
    _move(fds, terms.sandbox.ruleset)
    if terms.most:
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
    for limit, pair in terms.most.items():
        resource.setrlimit(limit, pair)
    space = terms.base_bytes + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, _lower(resource.RLIMIT_AS, space, space))


def _serve(functions: Mapping[str, Function], terms: Terms) -> None:
    """Do errands until there are no more, or one gave trouble: who had that is not used again."""
    for number in range(1, terms.jobs + 1):
        body = _receive()
        if body is None or not _do(functions, channel.errand(body)):
            return
        if number == terms.jobs or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > terms.peak_kib:
            return
        _send(Kind.STAYS, b"")


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


def _do(functions: Mapping[str, Function], errand: channel.Errand) -> bool:
    """Whether it went well."""
    try:
        result = functions[errand.function](_workload(errand.offset, errand.length))
        if isinstance(result, Iterator):
            for part in result:
                _pass_on(part)
            result = b""
    except BaseException as error:
        kind = Kind.SHORT if ran_short(error) else Kind.ERROR
        _send(kind, str_of(error).encode("utf-8", "replace"))
        return False
    _send(Kind.RESULT, result)
    return True


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
