"""A slot's shared memory: where the kernel writes a workload, and where its runner reads it, with no copy between.

Fresh pages cost far more than copying into warm ones, so a slot keeps its own. What one job left is wiped before the
next job's runner can look: one user's picture is nobody else's business.
"""

from __future__ import annotations

import mmap
import os
from typing import Final

from fleet.protocol import Data
from fleet.settings import MIB, ServerLimits

ROOM_BYTES: Final = ServerLimits.packet_bytes  # whatever a job server sends; the pages come when they are written to
KEPT_BYTES: Final = 32 * MIB  # a job that took more, by its workload or by reading behind it, leaves nothing
BLOCK_BYTES: Final = 512  # in which `stat` counts


class Arena:
    """One memfd, mapped for writing here; `reader` is a read-only descriptor of it, the same for all runners."""

    def __init__(self) -> None:
        descriptor = os.memfd_create("fleet-workload", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, ROOM_BYTES)
            self._map = mmap.mmap(descriptor, ROOM_BYTES)
            self.reader = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(descriptor)
        self._used = 0  # bytes from the start that any job has written

    def room(self, size: int) -> memoryview:
        """`size` bytes, for the next workload. What was there before is lost."""
        if self._used > size:
            self._map[size : self._used] = bytes(self._used - size)
        self._used = size
        return memoryview(self._map)[:size]

    def place(self, workload: Data) -> tuple[int, int]:
        """Where the workload is, as offset and length; one that was received elsewhere is copied in."""
        if isinstance(workload, memoryview) and workload.obj is self._map:
            return self._used - len(workload), len(workload)  # it is the last of the packet's arguments
        self.room(len(workload))[:] = workload
        return 0, len(workload)

    def settle(self) -> None:
        """The job is over: if it took many pages, they are given back."""
        if self.reader >= 0 and os.fstat(self.reader).st_blocks * BLOCK_BYTES > KEPT_BYTES:
            self._map.madvise(mmap.MADV_REMOVE)
            self._used = 0

    def close(self) -> None:
        """No more runner is to have it. The memory goes when the last one that reads it has gone."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1
