"""SVG: the size its root element says. No XML is parsed, and a file that defines entities is refused."""

from __future__ import annotations

import re
from typing import Final

from fleet.errors import BadImage
from fleet.images.headers import Buffer, Header

HEAD_BYTES: Final = 64 * 1024  # the root element begins in here, or this is refused
_ROOT: Final = re.compile(rb"<svg\b([^<>]{0,20000})>", re.IGNORECASE)
_SIDE: Final = rb"""\s%s\s*=\s*["']\s*([0-9]{1,7}(?:\.[0-9]{1,9})?)\s*(px|pt|mm|cm|in)?\s*["']"""
_SIDES: Final = tuple(re.compile(_SIDE % name) for name in (b"width", b"height"))
_NUMBER: Final = rb"[\s,]+([0-9]{1,7}(?:\.[0-9]{1,9})?)"
_VIEW: Final = re.compile(rb"""\sviewBox\s*=\s*["']\s*[-+0-9.e]+[\s,]+[-+0-9.e]+""" + _NUMBER * 2)
_PIXELS: Final = {b"": 1.0, b"px": 1.0, b"pt": 96 / 72, b"mm": 96 / 25.4, b"cm": 96 / 2.54, b"in": 96.0}


def is_svg(start: bytes) -> bool:
    """Whether text begins as an SVG does, or as XML that has an SVG's element near."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text[:4].lower() == b"<svg" or (text[:5] == b"<?xml" and b"<svg" in text) or text[:9] == b"<!DOCTYPE svg"


def read(data: Buffer) -> Header:
    head = bytes(data[:HEAD_BYTES])
    root = _ROOT.search(head)
    if root is None:
        raise BadImage("corrupt", "the SVG has no root element near its beginning")
    if b"<!ENTITY" in bytes(data) or b"<!entity" in bytes(data):
        raise BadImage("unsupported", "the SVG defines entities, which are not followed here; save it as a plain SVG")
    sides = [pattern.search(root[1]) for pattern in _SIDES]
    if all(sides):
        width, height = (float(side[1]) * _PIXELS[side[2] or b""] for side in sides if side)
    elif view := _VIEW.search(root[1]):
        width, height = float(view[1]), float(view[2])
    else:
        raise BadImage("corrupt", "the SVG says neither its width and height nor its viewBox")
    return Header("svg", round(width), round(height))
