"""What is left of a picture that breaks off or is damaged: whether it will do.

Pillow has one switch for that, which holds for all threads of a process. Rule: here each thread has its own, and what
others in the process had set holds for whatever of theirs is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from PIL import ImageFile

_WILL_DO: Final[ContextVar[bool | None]] = ContextVar("will_do", default=None)


class _Switch:
    """In the place of Pillow's own, which asks for nothing but its truth."""

    def __init__(self, otherwise: object) -> None:
        self._otherwise = otherwise

    def __bool__(self) -> bool:
        found = _WILL_DO.get()
        return bool(self._otherwise) if found is None else found


ImageFile.LOAD_TRUNCATED_IMAGES = _Switch(ImageFile.LOAD_TRUNCATED_IMAGES)  # type: ignore[assignment]


@contextmanager
def allowed(will_do: bool) -> Iterator[None]:
    """For what this thread opens and decodes until the end of the block."""
    before = _WILL_DO.set(will_do)
    try:
        yield
    finally:
        _WILL_DO.reset(before)


def will_do() -> bool:
    return bool(_WILL_DO.get())
