"""Which engine opens a picture."""

from __future__ import annotations

from fleet.images.engines import Engine
from fleet.images.sniff import Header


def engine_for(header: Header) -> Engine:
    """The engine for such a picture."""
    from fleet.images.engines.pillow import PILLOW

    return PILLOW


def warm_up() -> None:
    """Warm up every engine that may be asked."""
    from fleet.images.engines.pillow import PILLOW

    PILLOW.warm_up()
