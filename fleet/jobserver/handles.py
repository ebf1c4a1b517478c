"""Job handles: the server's names for its jobs."""

from __future__ import annotations

import itertools
import os
import socket
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Final
from zlib import crc32

HANDLE_BYTES: Final = 63  # libgearman's buffer has 64, with a NUL
SECRET_DIGITS: Final = 14  # of base64, so 84 bits; with a short prefix a handle takes 64 bytes of memory, not 80
CHECK_DIGITS: Final = 2  # of them, if the handle is to be known again
PREFIX_BYTES: Final = HANDLE_BYTES - SECRET_DIGITS - len(":18446744073709551615-")


def handle_maker(prefix: str = "", mark: int = 0) -> Callable[[], bytes]:
    """Makes handles ``prefix:n-random``; the prefix is ``H:`` and this host's name if there is none.

    The random part is what nobody guesses. It also keeps handles apart across restarts, so that an old one never
    comes to mean another job. With a mark its last digits are those by which `made_with` knows it again.
    """
    host = (socket.gethostname() or "fleet").split(".")[0]
    start = _printable(prefix or f"H:{host}")[:PREFIX_BYTES] + b":"
    return _handles(start, mark).__next__  # to go on takes less than to be called


def _handles(start: bytes, mark: int) -> Iterator[bytes]:
    digits, number = SECRET_DIGITS - CHECK_DIGITS if mark else SECRET_DIGITS, 0
    while True:
        fresh = urlsafe_b64encode(os.urandom(digits * 384))  # one system call for 512 handles
        for at in range(0, len(fresh), digits):
            number += 1
            secret = fresh[at : at + digits]
            yield b"%s%d-%s%s" % (start, number, secret, _PAIRS[crc32(secret, mark) & 4095] if mark else b"")


def made_with(mark: int, handle: bytes) -> bool:
    """Whether a maker with this mark made the handle. Of what people mistype, one in 4096 passes."""
    secret, check = handle[-SECRET_DIGITS:-CHECK_DIGITS], handle[-CHECK_DIGITS:]
    return len(secret + check) == SECRET_DIGITS and check == _PAIRS[crc32(secret, mark) & 4095]


def _printable(text: str) -> bytes:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_:.") else "-" for c in text).encode()


_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PAIRS: Final = [bytes(pair) for pair in itertools.product(_DIGITS, repeat=CHECK_DIGITS)]
