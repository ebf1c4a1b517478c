"""What people hand over as a payload, in the form that travels. Rule: what is neither bytes nor text stops here.

A wrong object in an outbox would fail far from whoever handed it over, and with it all that is queued behind.
"""

from __future__ import annotations

from typing import Any

from fleet.errors import UsageError
from fleet.protocol.packets import Data


def payload(given: Any, what: str) -> Data:
    """Text as UTF-8; bytes as they are, and whatever else is a buffer (an array, a mapped file) as its bytes, uncopied.

    Raises:
        UsageError: it is neither; the text says what to do.
    """
    if isinstance(given, bytes | bytearray):
        return given
    if isinstance(given, str):
        return given.encode()
    try:
        view = memoryview(given)
    except TypeError as error:
        remedy = "hand over its .read()" if hasattr(given, "read") else "for other values use json.dumps()"
        raise UsageError(f"{what} is bytes or text; this is {type(given).__name__}: {remedy}") from error
    return view.cast("B") if view.c_contiguous else view.tobytes()
