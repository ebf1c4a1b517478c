"""What PHP's serialize() wrote, as far as it is scalars and arrays. Pure.

Rule 1: objects, references and custom formats are refused, so nothing in a payload ever names a class. Rule 2: the
work is bounded by the payload's length and `MAX_DEPTH`; no length in it is believed before it was checked.
"""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 8  # of arrays in arrays; the classic payload has one
_INTEGER: Final = re.compile(rb"i:([+-]?\d{1,19});")
_FLOAT: Final = re.compile(rb"d:([+-]?(?:\d{1,30}\.?\d{0,30}(?:[eE][+-]?\d{1,3})?|INF|NAN));")
_BOOLEAN: Final = re.compile(rb"b:([01]);")
_LENGTH: Final = re.compile(rb"[sa]:(\d{1,10}):")

Scalar = bytes | int | float | bool | None
Value = Scalar | dict[bytes | int, "Value"]


class NotSerialized(ValueError):
    """These bytes are not what serialize() writes for scalars and arrays."""


def unserialize(data: bytes) -> Value:
    """The value; text stays bytes, and an array is a dict with its keys.

    Raises:
        NotSerialized: the text says at which byte it stops making sense.
    """
    value, end = _value(data, 0, 0)
    if end != len(data):
        raise _nonsense(end)
    return value


def _value(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    kind = data[at : at + 2]
    if kind == b"s:":
        return _text(data, at)
    if kind == b"a:":
        return _array(data, at, depth)
    if data[at : at + 2] == b"N;":
        return None, at + 2
    if found := _INTEGER.match(data, at):
        return int(found[1]), found.end()
    if found := _BOOLEAN.match(data, at):
        return found[1] == b"1", found.end()
    if found := _FLOAT.match(data, at):
        return float(found[1]), found.end()
    raise _nonsense(at)


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    length, start = _length(data, at)
    end = start + 1 + length
    if data[start : start + 1] != b'"' or data[end : end + 2] != b'";':
        raise _nonsense(at)
    return data[start + 1 : end], end + 2


def _array(data: bytes, at: int, depth: int) -> tuple[dict[bytes | int, Value], int]:
    if depth >= MAX_DEPTH:
        raise NotSerialized(f"arrays are nested more than {MAX_DEPTH} deep")
    count, end = _length(data, at)
    if data[end : end + 1] != b"{":
        raise _nonsense(end)
    end += 1
    found: dict[bytes | int, Value] = {}
    for _ in range(count):  # each takes bytes, so a false count ends with the data
        key, end = _value(data, end, MAX_DEPTH)
        if not isinstance(key, bytes | int) or isinstance(key, bool):
            raise _nonsense(end)
        found[key], end = _value(data, end, depth + 1)
    if data[end : end + 1] != b"}":
        raise _nonsense(end)
    return found, end + 1


def _length(data: bytes, at: int) -> tuple[int, int]:
    found = _LENGTH.match(data, at)
    if not found:
        raise _nonsense(at)
    return int(found[1]), found.end()


def _nonsense(at: int) -> NotSerialized:
    return NotSerialized(f"byte {at} is not what serialize() writes for scalars and arrays")
