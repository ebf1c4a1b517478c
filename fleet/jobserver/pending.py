"""An answer that is not known yet, because the store has to be asked first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Pending(Generic[T]):
    """Settled once; whoever waits is called then. Nothing else happens here: what waits meanwhile is its own affair."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Callable[[T], None]] = []

    def then(self, do: Callable[[T], None]) -> None:
        self._waiting.append(do)

    def settle(self, answer: T) -> None:
        waiting, self._waiting = self._waiting, []
        for do in waiting:
            do(answer)

    def map(self, make: Callable[[T], U]) -> Pending[U]:
        """What `make` makes of the answer, once it is known."""
        made: Pending[U] = Pending()
        self.then(lambda answer: made.settle(make(answer)))
        return made
