"""Dying with one's parent, so that no process of a pool outlives it, whatever kills it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # from linux/prctl.h

_prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None) if sys.platform == "linux" else None


def follow_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, process number `parent`, dies; exit if it is gone already."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
