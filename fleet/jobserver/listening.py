"""The sockets a job server listens on."""

from __future__ import annotations

import os
import socket
from errno import EACCES, EADDRINUSE
from typing import Final

from fleet.errors import FleetError
from fleet.linux import descriptors
from fleet.settings import Address

RESERVED_DESCRIPTORS: Final = 64  # for listeners, logs, and whatever a library opens
# What to do about the reasons why an address cannot be listened on.
REMEDIES: Final = {
    EADDRINUSE: "stop what uses the port, or choose another",
    EACCES: "ports below 1024 are root's, or need CAP_NET_BIND_SERVICE; choose another",
}


class CannotListen(FleetError):
    """The job server's address cannot be listened on."""

    exit_code = 78  # EX_CONFIG of sysexits.h: trying again would not help


def open_sockets(address: Address, backlog: int) -> list[socket.socket]:
    """A listening socket for each address the host stands for; "" stands for all of this machine's.

    With port 0 the kernel chooses, and all get the same.

    Raises:
        CannotListen: the port is taken, the address is not this machine's, or the name is unknown.
    """
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, where in socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            port = sockets[0].getsockname()[1] if sockets else address.port
            sockets.append(_open(socket.socket(family, kind, protocol), (where[0], port, *where[2:]), backlog))
    except (OSError, UnicodeError) as error:
        for sock in sockets:
            sock.close()
        if isinstance(error, UnicodeError):  # it was not even asked for
            raise CannotListen(f"cannot listen on {address}: that is no name of a host; choose another") from error
        # The resolver's numbers are below 0, and its words are its own.
        named = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        reason = (named or str(error)).lower()
        remedy = REMEDIES.get(error.errno or 0, "choose another address")
        raise CannotListen(f"cannot listen on {address}: {reason}; {remedy}") from error
    return sockets


def _open(sock: socket.socket, where: tuple[str | int, ...], backlog: int) -> socket.socket:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def connections_possible(most: int) -> int:
    """How many of `most` connections there are descriptors for, once this process's limit is as high as it may be."""
    return max(1, min(most, descriptors(most + RESERVED_DESCRIPTORS) - RESERVED_DESCRIPTORS))
