"""Memory for large payloads: warm pages, never zeroed, never given back in between.

Fresh pages are what a 3 MB payload costs most: with glibc's defaults each one is mapped, faulted in page by page,
and unmapped again, which doubles the processor time per job. So freed blocks stay in the heap for the next
payload. And a buffer that the kernel is about to fill is not filled with zeros first. See docs/performance.md.

Of a long queue the blocks that its dictionaries had before they grew would stay there, too: a fifth of its memory.
Those are given back.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

from fleet.settings import MIB

# From malloc.h. Blocks below the first are taken from the heap; glibc allows 32 MiB at most on 64 bits.
M_MMAP_THRESHOLD: Final = -3
MMAP_THRESHOLD_BYTES: Final = 32 * MIB
# Free memory at the heap's end beyond this goes back to the system.
M_TRIM_THRESHOLD: Final = -1
TRIM_THRESHOLD_BYTES: Final = 128 * MIB


def keep_freed_pages() -> None:
    """Set glibc's thresholds for this process; another C library is left as it is."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)


def give_freed_pages_back() -> None:
    """Those of glibc's heap, for once, wherever they lie."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def next_growth(entries: int) -> int:
    """At how many entries a dictionary that has so many, and at least a few thousand, will have just grown.

    CPython doubles a dictionary's table when two thirds of it are used (Objects/dictobject.c, USABLE_FRACTION).
    """
    size = 1 << 16
    while size * 2 // 3 <= entries:
        size *= 2
    return size * 2 // 3 + 1


def collect_seldom() -> None:
    """Look for garbage in cycles after ten thousand new objects, not seven hundred, and not among what is there.

    The server makes hardly any; looking for it took a tenth of the time to queue a job.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


_new_bytearray = ctypes.pythonapi.PyByteArray_FromStringAndSize
_new_bytearray.restype = ctypes.py_object
_new_bytearray.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)


def unfilled(size: int) -> bytearray:
    """A bytearray of `size` bytes with whatever was there before: for a buffer that is filled before it is read.

    Pages that were never touched take no memory until then, so a size that is announced and not sent costs nothing.
    """
    found: bytearray = _new_bytearray(None, size)
    return found
