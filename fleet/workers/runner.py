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
from typing import Final, NoReturn

from fleet.linux import follow_parent
from fleet.settings import PoolLimits
from fleet.workers import channel
from fleet.workers.channel import Kind
from fleet.workers.kit import Function, Part

INPUT: Final = 3  # the descriptors it is left with, besides the standard ones
CHANNEL: Final = 4


def run(functions: Mapping[str, Function], fds: tuple[int, int], limits: PoolLimits, parent: int) -> NoReturn:
    """Be the runner. `fds` are its input and its channel, `parent` is the zygote's number, from before the fork."""
    code = 1
    try:
        _become_a_runner(fds, limits, parent)
        code = _serve(functions)
    finally:
        os._exit(code)


def _become_a_runner(fds: tuple[int, int], limits: PoolLimits, parent: int) -> None:
    os.setsid()
    follow_parent(parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    _move(fds)
    for limit, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, math.ceil(limits.deadline_s) + 1),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write beyond the limit is an error, and has a text


def _move(fds: tuple[int, int]) -> None:
    """The two descriptors to their places, and all others away."""
    held = [os.dup(fd) for fd in fds]  # so that neither is overwritten by the other's move
    for fd, place in zip(held, (INPUT, CHANNEL), strict=True):
        os.dup2(fd, place, inheritable=False)
    os.closerange(CHANNEL + 1, 1 << 20)


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
        from fleet.workers.functions import str_of

        _send(Kind.ERROR, str_of(error).encode("utf-8", "replace"))
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
