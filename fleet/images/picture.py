"""A finished picture: bytes that know what they are."""

from __future__ import annotations

import os
from functools import cached_property

from fleet.images.facts import Facts
from fleet.images.sniff import CONTENT_TYPES, Header, sniff


class Picture(bytes):
    """The bytes of a picture, to be written or sent as they are.

    `facts` is what its maker said of it, None if it was not asked; the properties are read from the bytes themselves.

    >>> picture.format, picture.width, picture.height, picture.content_type     # doctest: +SKIP
    ('jpeg', 200, 150, 'image/jpeg')
    """

    facts: Facts | None

    def __new__(cls, data: bytes, facts: Facts | None = None) -> Picture:
        picture = super().__new__(cls, data)
        picture.facts = facts
        return picture

    @cached_property
    def _header(self) -> Header:
        return sniff(self)

    @property
    def data(self) -> bytes:
        """The bytes, as nothing but bytes."""
        return bytes(self)

    @property
    def format(self) -> str:
        """``jpeg``, ``png``, ``webp``, ``avif`` or ``gif``."""
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

    @property
    def frames(self) -> int:
        """More than 1 if it moves."""
        return self._header.frames

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
