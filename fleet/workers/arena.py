"""A slot's shared memory: where the kernel writes a workload, and where its runner reads it, with no copy between.

Fresh pages cost far more than copying into warm ones, so a slot keeps its own. What one job left is wiped before the
next job's runner can look: one user's picture is nobody else's business.
"""

from __future__ import annotations

import mmap
import os
from typing import Final

from fleet.protocol import Data
from fleet.settings import MIB

KEPT_BYTES: Final = 32 * MIB  # a larger arena is given back after its job


class Arena:
    """One memfd, mapped for writing here; `reader` is a read-only descriptor of it, for runners."""

    def __init__(self) -> None:
        self.reader = -1
        self._map: mmap.mmap | None = None
        self._used = 0  # bytes from the start that any job has written

    def room(self, size: int) -> memoryview:
        """`size` bytes, for the next workload. What was there before is lost."""
        if self._map is None or len(self._map) < size:
            self._make(size)
        assert self._map is not None
        self._wipe(size)
        return memoryview(self._map)[:size]

    def place(self, workload: Data) -> tuple[int, int]:
        """Where the workload is, as offset and length; one that was received elsewhere is copied in."""
        if isinstance(workload, memoryview) and self._map is not None and workload.obj is self._map:
            return self._used - len(workload), len(workload)  # it is the last of the packet's arguments
        self.room(len(workload))[:] = workload
        return 0, len(workload)

    def settle(self) -> None:
        """The job is over: an arena that grew large for it is given back."""
        if self._map is not None and len(self._map) > KEPT_BYTES:
            self.close()

    def close(self) -> None:
        if self.reader >= 0:
            os.close(self.reader)
        self.reader, self._map, self._used = -1, None, 0

    def _make(self, size: int) -> None:
        self.close()
        capacity = 1 << max(16, (size - 1).bit_length())  # a power of two, so that it seldom has to grow
        descriptor = os.memfd_create("fleet-workload", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, capacity)
            self._map = mmap.mmap(descriptor, capacity)
            self.reader = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(descriptor)

    def _wipe(self, size: int) -> None:
        """Nothing of an earlier workload stays behind the end of this one."""
        if self._map is not None and self._used > size:
            self._map[size : self._used] = bytes(self._used - size)
        self._used = size
