"""A finished picture: bytes that know what they are."""

from __future__ import annotations

import os
from functools import cached_property

from fleet.images.sniff import CONTENT_TYPES, Header, sniff


class Picture(bytes):
    """The bytes of a picture, to be written or sent as they are, with the facts read from their own header.

    >>> picture.format, picture.width, picture.height, picture.content_type     # doctest: +SKIP
    ('jpeg', 200, 150, 'image/jpeg')
    """

    @cached_property
    def _header(self) -> Header:
        return sniff(self)

    @property
    def data(self) -> bytes:
        """The bytes, as nothing but bytes."""
        return bytes(self)

    @property
    def format(self) -> str:
        """``jpeg``, ``png``, ``webp`` or ``avif``."""
        return self._header.format

    @property
    def width(self) -> int:
        """In pixels."""
        return self._header.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self._header.height

    @property
    def content_type(self) -> str:
        """For an HTTP header."""
        return CONTENT_TYPES[self.format]

    @cached_property
    def sha256(self) -> str:
        """The digest in hexadecimal, for an ETag or a file's name."""
        from hashlib import sha256

        return sha256(self).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bytes to a file. Raises OSError."""
        with open(path, "wb") as file:
            file.write(self)

    def __repr__(self) -> str:
        return f"<Picture {self.format} {self.width}x{self.height}, {len(self) / 1000:.1f} kB>"

    __str__ = __repr__
