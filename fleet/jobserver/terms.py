"""On what terms a background job is kept. A value; times are seconds since 1970."""

from __future__ import annotations

from typing import Final, NamedTuple


class Terms(NamedTuple):
    """When it may begin, and how often it may fail."""

    run_at: int = 0  # not before; 0: at once
    expires: int = 0  # it may begin so late; 0: never too late
    attempts: int = 0  # failures until it is given up; 0: what its function's policy says
    schedule: str = ""  # when it comes again; empty: it does not


AT_ONCE: Final = Terms()
