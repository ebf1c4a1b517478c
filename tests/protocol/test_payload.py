"""What people hand over as a payload becomes bytes, or an error where it was handed over."""

from __future__ import annotations

import io
from array import array
from typing import Any

import pytest

from fleet.errors import UsageError
from fleet.protocol import payload


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (b"a", b"a"),
        (bytearray(b"a"), b"a"),
        ("ü", b"\xc3\xbc"),
        (memoryview(b"abcd").cast("H"), b"abcd"),
        (memoryview(b"abcd")[::2], b"ac"),
        (array("B", b"ab"), b"ab"),
    ],
)
def test_bytes_text_and_buffers_are_bytes_of_their_full_length(given: Any, data: bytes) -> None:
    found = payload(given, "a workload")
    assert (bytes(found), len(found)) == (data, len(data))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"user": 5}, "a workload is bytes or text; this is dict: .*json"),
        (None, "this is NoneType"),
        (5, "this is int"),
        (io.BytesIO(b"x"), r"this is BytesIO: hand over its \.read\(\)"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(given: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        payload(given, "a workload")
