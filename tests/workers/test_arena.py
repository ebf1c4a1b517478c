"""A slot's shared memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fleet.workers.arena import KEPT_BYTES, Arena


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena()
    yield made
    made.close()


def seen(arena: Arena) -> bytes:
    """All that a runner could read."""
    return os.pread(arena.reader, 1 << 30, 0)


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


def test_its_pages_are_kept_for_the_next_job_unless_they_are_very_many(arena: Arena) -> None:
    arena.place(bytes(3_000_000))
    reader = arena.reader
    arena.settle()
    arena.place(bytes(2_000_000))
    assert arena.reader == reader
    arena.place(bytes(KEPT_BYTES + 1))
    arena.settle()
    assert arena.reader == -1
    arena.place(b"x")
    assert seen(arena).rstrip(b"\0") == b"x"


def test_runners_cannot_write(arena: Arena) -> None:
    arena.place(b"x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(arena.reader, b"y", 0)
