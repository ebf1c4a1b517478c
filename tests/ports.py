"""Ports that nobody listens on, and that nobody gets by chance while a test has them.

Such a port is bound, and not listened on. So the kernel refuses whoever connects, and gives it neither to a server that
asks for any port nor to a client as its own; but a server that asks for it by its number gets it, also after another.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fleet.settings import Address

ClosedPort = Callable[[], Address]  # the fixture of that name


@contextmanager
def held() -> Iterator[Address]:
    """One, until the block ends."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server does; both have to
        sock.bind(("127.0.0.1", 0))
        yield Address(*sock.getsockname())
