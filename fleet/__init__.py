"""fleet: an image-processing worker fleet on a bundled Gearman job server.

    >>> from fleet import Client
    >>> with Client("127.0.0.1:4730") as client:
    ...     thumb = client.resize("large.jpg", 200, 150).result(timeout=10)

Names are loaded when they are first used, so that `import fleet` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet.version import __version__

if TYPE_CHECKING:
    from fleet.client import Client as Client
    from fleet.client.asynchronous import AsyncClient as AsyncClient
    from fleet.images import Spec as Spec
    from fleet.workers import Job as Job
    from fleet.workers import Worker as Worker

__all__ = ["Client", "AsyncClient", "Spec", "Worker", "Job", "__version__"]

_HOMES = {
    "Client": "fleet.client",
    "AsyncClient": "fleet.client.asynchronous",
    "Spec": "fleet.images",
    "Worker": "fleet.workers",
    "Job": "fleet.workers",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fleet' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
