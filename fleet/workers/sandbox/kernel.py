"""The kernel's own ways to give rights up, each a call of a line or two, through libc's `syscall`.

Rule: everything is looked up at import, in the zygote; a runner only calls.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
from typing import Final

from fleet import linux
from fleet.workers.sandbox.bpf import KILL_PROCESS, Filter

# Numbers that are the same on all processors, but for seccomp's; from asm/unistd.h.
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_RESTRICT_SELF: Final = 446
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
PROCESSOR: Final = os.uname().machine if sys.platform == "linux" else ""

_SET_DUMPABLE: Final = 4  # from linux/prctl.h
_SET_NO_NEW_PRIVS: Final = 38
_HIGH: Final = 10  # descriptors below are the runner's to arrange
_VERSION: Final = 1  # asks landlock_create_ruleset for nothing but its version
_SET_MODE_FILTER: Final = 1  # from linux/seccomp.h
_GET_ACTION_AVAIL: Final = 2
# What a Landlock version can forbid, from linux/landlock.h: all of it is forbidden.
_FILES: Final = {1: 13, 2: 14, 3: 15, 5: 16}  # so many kinds of access to files, from which version on
_TCP_SINCE: Final = 4
_TCP: Final = 0b11  # to bind and to connect
_SCOPES_SINCE: Final = 6
_SCOPES: Final = 0b11  # abstract unix sockets, and signals, beyond itself

_syscall = ctypes.CDLL(None, use_errno=True).syscall if sys.platform == "linux" else None


def _call(number: int | None, *args: object) -> int:
    if _syscall is None or number is None:
        raise OSError(0, "this system has no such call")
    result: int = _syscall(ctypes.c_long(number), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _prctl(option: int, value: int) -> None:
    if linux.prctl is None or linux.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def no_new_privileges() -> None:
    """No program it could run would have more rights than it has. Raises OSError, as all of these."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def not_dumpable() -> None:
    """No core, and no other process of its user may look into it."""
    _prctl(_SET_DUMPABLE, 0)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def landlock_version() -> int:
    return _call(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))


def empty_ruleset() -> int:
    """A descriptor of Landlock rules that forbid whatever this kernel can forbid, and allow nothing."""
    version = landlock_version()
    kinds = max(count for since, count in _FILES.items() if since <= version)
    rules = _Ruleset((1 << kinds) - 1, _TCP if version >= _TCP_SINCE else 0, _SCOPES if version >= _SCOPES_SINCE else 0)
    size = 8 * (1 + (version >= _TCP_SINCE) + (version >= _SCOPES_SINCE))
    descriptor = _call(_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    os.close(descriptor)
    return high


def restrict_files(ruleset: int) -> None:
    """From now on the rules hold for this process and all it starts."""
    _call(_LANDLOCK_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Seccomp:
    """A filter, laid out for the kernel once; a runner only fills its process number in."""

    def __init__(self, filter: Filter) -> None:
        self._words = (ctypes.c_uint32 * (2 * len(filter.program))).from_buffer_copy(filter.packed())
        self._holes = filter.holes
        self._program = _Program(len(filter.program), ctypes.addressof(self._words))

    def load(self) -> None:
        """From now on the filter judges every call of this process."""
        for hole in self._holes:
            self._words[2 * hole + 1] = os.getpid()
        number = _SECCOMP.get(PROCESSOR)
        _call(number, ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(0), ctypes.byref(self._program))


def seccomp_available() -> None:
    """Raises OSError where there is no filter that can end a process."""
    action = ctypes.c_uint32(KILL_PROCESS)
    _call(_SECCOMP.get(PROCESSOR), ctypes.c_uint(_GET_ACTION_AVAIL), ctypes.c_uint(0), ctypes.byref(action))
