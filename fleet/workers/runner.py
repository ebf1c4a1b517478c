"""One job's process: forked by the zygote, it does the job, writes its verdict, and is gone.

Rule 1: it owns nothing but its input, read-only, its output, and the limits set here. Rule 2: it never returns and
never lets an exception out. Rule 3: whatever it does wrong ends with it; the pool reads the verdict, or its absence.

The verdict is a line of JSON, ``{}`` or ``{"error": text}``, and behind it the result.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import resource
import signal
from collections.abc import Callable
from typing import Final, NoReturn

from fleet.settings import PoolLimits
from fleet.workers import death

Function = Callable[[memoryview], bytes]

INPUT: Final = 3  # the descriptors it is left with, besides the standard ones
OUTPUT: Final = 4


def run(
    function: Function, fds: tuple[int, int], offset: int, length: int, limits: PoolLimits, parent: int
) -> NoReturn:
    """Be the runner: do `function` on `length` bytes at `offset` of the first of `fds`; the second is the output.

    `parent` is the zygote's process number, from before the fork.
    """
    code = 1
    try:
        _become_a_runner(fds, limits, parent)
        code = _do(function, offset, length)
    finally:
        os._exit(code)


def _become_a_runner(fds: tuple[int, int], limits: PoolLimits, parent: int) -> None:
    os.setsid()
    death.follow_parent(parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    _move(fds)
    for limit, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, math.ceil(limits.deadline_s) + 1),
        (resource.RLIMIT_FSIZE, limits.result_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write beyond the limit is an error, and has a text


def _move(fds: tuple[int, int]) -> None:
    """The two descriptors to their places, and all others away."""
    held = [os.dup(fd) for fd in fds]  # so that neither is overwritten by the other's move
    for fd, place in zip(held, (INPUT, OUTPUT), strict=True):
        os.dup2(fd, place, inheritable=False)
    os.closerange(OUTPUT + 1, 1 << 20)


def _do(function: Function, offset: int, length: int) -> int:
    try:
        verdict, result = {}, function(_workload(offset, length))
    except BaseException as error:
        from fleet.workers.functions import str_of

        verdict, result = {"error": str_of(error)}, b""
    try:
        _write(json.dumps(verdict).encode() + b"\n", result)
    except OSError as error:
        os.ftruncate(OUTPUT, 0)
        os.lseek(OUTPUT, 0, os.SEEK_SET)
        _write(
            json.dumps({"error": f"ResultTooLarge: the result cannot be written: {error.strerror}"}).encode() + b"\n"
        )
    return 0


def _workload(offset: int, length: int) -> memoryview:
    if not length:
        return memoryview(b"")
    # All pages in one call: one by one, on demand, they would cost more than the copy that this mapping saves.
    flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
    return memoryview(mmap.mmap(INPUT, offset + length, flags=flags, prot=mmap.PROT_READ))[offset:]


def _write(*parts: bytes) -> None:
    for part in parts:
        left = memoryview(part)
        while left:
            left = left[os.write(OUTPUT, left) :]
