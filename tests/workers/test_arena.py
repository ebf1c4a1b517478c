"""A slot's shared memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import pytest

from fleet.workers.arena import KEPT_BYTES, ROOM_BYTES, Arena


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena()
    yield made
    made.close()


def seen(arena: Arena) -> bytes:
    """All that a runner could read."""
    return os.pread(arena.reader, ROOM_BYTES, 0)


def test_a_workload_received_in_place_is_not_copied(arena: Arena) -> None:
    room = arena.room(100)
    room[:] = b"H:1\0f\0u\0" + b"w" * 92
    offset, length = arena.place(room[8:])
    assert (offset, length) == (8, 92)
    assert seen(arena)[offset : offset + length] == b"w" * 92


@pytest.mark.parametrize("workload", [b"", b"small", memoryview(b"elsewhere")])
def test_a_workload_received_elsewhere_is_copied_in(arena: Arena, workload: bytes) -> None:
    offset, length = arena.place(workload)
    assert seen(arena)[offset : offset + length] == workload


def test_nothing_of_an_earlier_workload_stays(arena: Arena) -> None:
    arena.place(b"secret" * 1000)
    arena.place(b"short")
    assert seen(arena).rstrip(b"\0") == b"short"
    arena.room(3)[:] = b"abc"
    assert seen(arena).rstrip(b"\0") == b"abc"


def held(arena: Arena) -> int:
    """The bytes of its pages."""
    return os.fstat(arena.reader).st_blocks * 512


def test_its_pages_are_kept_for_the_next_job_unless_they_are_very_many(arena: Arena) -> None:
    arena.place(bytes(3_000_000))
    arena.settle()
    assert held(arena) >= 3_000_000
    arena.place(bytes(KEPT_BYTES + 1))
    arena.settle()
    assert held(arena) == 0
    arena.place(b"x")
    assert seen(arena).rstrip(b"\0") == b"x"


def test_a_runner_that_reads_behind_its_workload_leaves_no_pages(arena: Arena) -> None:
    arena.place(b"small")
    with mmap.mmap(arena.reader, ROOM_BYTES, prot=mmap.PROT_READ) as whole:
        assert whole[:].rstrip(b"\0") == b"small"
    assert held(arena) >= ROOM_BYTES
    arena.settle()
    assert held(arena) == 0


def test_runners_cannot_write(arena: Arena) -> None:
    arena.place(b"x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(arena.reader, b"y", 0)
