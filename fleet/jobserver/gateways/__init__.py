"""Other protocols than Gearman in front of the same queue.

A gateway is a class below `fleet.jobserver.wire.Wire`: it turns what arrives on its own wire into calls of the broker,
and what the broker tells it into its own bytes, and does nothing else: no I/O, no clock. The server's shell listens,
reads, writes, closes and keeps the limits for it as it does for Gearman. To add one, write the class and name it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from fleet.errors import UsageError
from fleet.settings import Address

if TYPE_CHECKING:
    from fleet.jobserver.wire import Wire

# By name, as "module:class": one that is not spoken is not loaded.
GATEWAYS: Final[dict[str, str]] = {"http": "fleet.jobserver.gateways.http:Http"}

PORTS: Final = {"http": 8080}  # gearmand's


def listen_at(names: Iterable[str], host: str, ports: Mapping[str, int | None]) -> tuple[tuple[str, Address], ...]:
    """What `ServerSettings.gateways` takes: each named gateway and where it listens; a port of None is its usual one.

    Raises:
        UsageError: there is no such gateway, or a port is given for one that is not named.
    """
    chosen = dict.fromkeys(names)
    for name, port in ports.items():
        if port is not None and name not in chosen:
            raise UsageError(f"--{name}-port is given, but not --protocol {name}")
    for name in chosen:
        _check(name)
    return tuple((name, Address(host, PORTS[name] if (port := ports.get(name)) is None else port)) for name in chosen)


def wire_for(name: str) -> type[Wire]:
    """The gateway of this name.

    Raises:
        UsageError: there is none.
    """
    _check(name)
    module, _, wire = GATEWAYS[name].partition(":")
    found: type[Wire] = getattr(import_module(module), wire)
    return found


def _check(name: str) -> None:
    if name not in GATEWAYS:
        raise UsageError(f"there is no protocol {name!r} beside Gearman; there are: {', '.join(GATEWAYS)}")
