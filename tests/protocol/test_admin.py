"""The text protocol's words and answers."""

from __future__ import annotations

import pytest

from fleet.protocol import admin


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"status", [b"status"]),
        (b"cancel job H:a:1", [b"cancel", b"job", b"H:a:1"]),
        (b"version  x", [b"version", b"x"]),
        (b"", [b""]),
        (b"  status", [b""]),
    ],
)
def test_words(line: bytes, expected: list[bytes]) -> None:
    assert admin.words(line) == expected


def test_a_table_ends_with_a_dot() -> None:
    assert admin.table([(b"resize", 1, 0, 2)]) == b"resize\t1\t0\t2\n.\n"
    assert admin.table([]) == b".\n"


def test_names_cannot_break_a_table_or_a_terminal() -> None:
    assert admin.printable(b"a\tb\n\x1b[31m") == b"a\\x09b\\x0a\\x1b[31m"


def test_errors_are_one_line_whatever_was_sent() -> None:
    assert admin.unknown_command(b"foo") == b"ERR UNKNOWN_COMMAND Unknown+server+commandfoo\r\n"
    assert admin.unknown_command(b"\r\n" * 100).count(b"\n") == 1
    assert admin.incomplete(b"drop") == (
        b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+drop\r\n"
    )
