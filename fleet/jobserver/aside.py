"""A thread beside the event loop, for what would hold it up: one thing after the other, in the order they came.

It is less than an executor: nothing is made for each task, and nothing is done after it but to wait for the next. A
thread that has just slept takes about three times as long for everything, so a short commit shows all of that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Task = Callable[[], object]


class Aside:
    """The thread, which ends with the process if it is not ended before."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while task := self._tasks.get():
            task()

    def do(self, task: Task) -> None:
        """Have it done; it must not raise, and tells the loop itself what became of it."""
        self._tasks.put(task)

    async def result(self, act: Callable[[], T]) -> T:
        """What `act` returns, or raises, there."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def task() -> None:
            try:
                found = act()
            except Exception as error:
                loop.call_soon_threadsafe(done.set_exception, error)
            else:
                loop.call_soon_threadsafe(done.set_result, found)

        self.do(task)
        return await done

    def end(self) -> None:
        """End it, once all is done."""
        self._tasks.put(None)
        self._thread.join()
