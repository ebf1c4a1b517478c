"""The thread beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from fleet.jobserver.aside import Aside


def test_things_are_done_beside_the_loop_one_after_the_other() -> None:
    aside, done = Aside("beside"), list[tuple[int, str]]()

    def act(number: int) -> None:
        done.append((number, threading.current_thread().name))

    for number in range(100):
        aside.do(partial(act, number))
    aside.end()
    assert done == [(number, "beside") for number in range(100)]


def test_what_it_returns_and_what_it_raises_comes_back() -> None:
    aside = Aside("beside")

    def fails() -> None:
        raise OSError("the disk")

    async def both() -> str:
        with pytest.raises(OSError, match="the disk"):
            await aside.result(fails)
        return await aside.result(lambda: threading.current_thread().name)

    assert asyncio.run(both()) == "beside"
    aside.end()


def test_nothing_is_left_of_it_once_it_ended() -> None:
    aside = Aside("beside")
    aside.end()
    assert "beside" not in [thread.name for thread in threading.enumerate()]
