"""What a source of a picture may be. (The whole way of a picture is tested in test_blocking and in tests/cli.)"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from fleet.client.images import read
from fleet.errors import UsageError


def test_bytes_a_path_and_an_open_file(tmp_path: Path) -> None:
    path = tmp_path / "kitten.jpg"
    path.write_bytes(b"kitten")
    assert [bytes(read(source)) for source in (b"kitten", bytearray(b"kitten"), path, str(path))] == [b"kitten"] * 4
    with path.open("rb") as file:
        assert read(file) == b"kitten"


@pytest.mark.parametrize("source", [None, 7, io.StringIO("kitten")])
def test_what_is_no_source_says_what_is(source: Any) -> None:
    with pytest.raises(UsageError, match=f'a file opened with "rb"; this is {type(source).__name__}'):
        read(source)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*missing\.jpg: no such file or directory"):
        read(tmp_path / "missing.jpg")
