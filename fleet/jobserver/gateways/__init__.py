"""Other protocols than Gearman in front of the same queue.

A gateway is a class below `fleet.jobserver.wire.Wire`: it turns what arrives on its own wire into calls of the broker,
and what the broker tells it into its own bytes, and does nothing else: no I/O, no clock. The server's shell listens,
reads, writes, closes and keeps the limits for it as it does for Gearman. To add one, write the class and name it here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from fleet.errors import UsageError
from fleet.jobserver.wire import Wire

# By name, as "module:class": one that is not spoken is not loaded.
GATEWAYS: Final[dict[str, str]] = {}


def wire_for(name: str) -> type[Wire]:
    """The gateway of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in GATEWAYS:
        raise UsageError(f"there is no protocol {name!r}; there are: {', '.join(GATEWAYS) or 'none but Gearman'}")
    module, _, wire = GATEWAYS[name].partition(":")
    found: type[Wire] = getattr(import_module(module), wire)
    return found
