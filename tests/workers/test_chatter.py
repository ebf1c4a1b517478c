"""What runners write, passed on within bounds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from fleet.workers.chatter import BURST_BYTES, Allowance, Chatter

S = 1_000_000_000


def test_an_allowance_is_a_burst_and_what_each_second_adds() -> None:
    allowance = Allowance(burst=100, per_s=10)
    assert allowance.take(100, 0)
    assert not allowance.take(1, 0)
    assert not allowance.take(11, 1 * S)
    assert allowance.take(10, 1 * S)
    assert allowance.take(100, 1000 * S)
    assert not allowance.take(1, 1000 * S), "no more than the burst is saved up"


def passed_on(write: Callable[[int], object]) -> list[str]:
    lines: list[str] = []

    async def run() -> None:
        chatter = Chatter(lines.append)
        write(chatter.writer)
        await asyncio.sleep(0)
        chatter.close()

    asyncio.run(run())
    return lines


def test_lines_are_passed_on_the_last_without_an_end_too() -> None:
    assert passed_on(lambda fd: os.write(fd, b"one\ntwo")) == ["runner: one", "runner: two"]


def test_nothing_commands_a_terminal() -> None:
    assert passed_on(lambda fd: os.write(fd, b"a\x1b]0;b\x07\tc\n")) == ["runner: a?]0;b?\tc"]


def test_what_is_too_much_is_lost_and_said_once() -> None:
    lines = passed_on(lambda fd: os.write(fd, (b"x" * 99 + b"\n") * 600))
    assert lines.count("runner: ... writes more than is shown") == 1
    assert sum(map(len, lines)) < 2 * BURST_BYTES
