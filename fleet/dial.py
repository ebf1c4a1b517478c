"""Connecting to a job server without waiting for it, address by address.

A name may have several addresses, of which the server listens on one: `localhost` is ::1 on many machines first.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Final

from fleet.settings import Address

# A server that vanished without a word is noticed after 15 + 3 x 5 seconds.
KEEPALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Dial:
    """One attempt to reach a server: `sock` is connecting from the start; ask `connected` when it is writable.

    Args:
        addresses: as `resolved` finds them.

    Raises:
        OSError: every address refused at once.
    """

    sock: socket.socket

    def __init__(self, addresses: list[Any]) -> None:
        self._left = addresses
        self._next()

    def connected(self) -> bool:
        """Whether the connection is there; if not, the next address is being tried.

        Raises:
            OSError: it failed, and there is no other address.
        """
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            return True
        self.sock.close()
        if not self._left:
            raise OSError(code, os.strerror(code))
        self._next()
        return False

    def _next(self) -> None:
        """Begin with the next address that does not refuse at once."""
        while True:
            family, kind, protocol, _, where = self._left.pop(0)
            self.sock = socket.socket(family, kind, protocol)
            try:
                set_options(self.sock)
                self.sock.connect(where)
            except BlockingIOError:
                pass
            except OSError:
                self.sock.close()
                if not self._left:
                    raise
                continue
            return


def resolved(address: Address, *, numeric: bool = False) -> list[Any]:
    """What `getaddrinfo` knows about it, in its order. Raises OSError: nothing; or, if `numeric`, it is a name."""
    # As bytes, because text is taken through IDNA, whose tables take 5 ms to load.
    host = address.host.encode("ascii") if address.host.isascii() else address.host
    flags = socket.AI_NUMERICHOST if numeric else 0
    return socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=flags)


def set_options(sock: socket.socket) -> None:
    """Never wait, send at once, notice the dead."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_alive(sock)


def keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def reason_of(error: OSError) -> str:
    """Why there is no connection, in the system's words. What the resolver raises has numbers of its own."""
    if error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error)).lower()
