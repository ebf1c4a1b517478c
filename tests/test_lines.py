"""Lines from processes, and for people who may not read them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.lines import LINE_BYTES, Lines, Output


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, TextIO]]:
    ends = os.pipe()
    with open(ends[0], "rb") as reader, open(ends[1], "w") as writer:
        yield reader, writer


def test_a_stream_in_memory() -> None:
    stream = io.StringIO()
    Output(stream).line("ready")
    assert stream.getvalue() == "ready\n"


def test_a_file_has_always_room(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        Output(stream).line("ready")
        assert (tmp_path / "log").read_text() == "ready\n"


def test_a_reader_that_does_not_read_loses_lines_and_is_told(pipe: tuple[BinaryIO, TextIO]) -> None:
    reader, writer = pipe
    output, written, line = Output(writer), 1000, "x" * 1000
    for _ in range(written):  # far more than a pipe holds: blocking would hang here
        output.line(line)
    assert "lines lost" in repr(output)
    lines = _read(reader)
    output.line("ready")
    kept = len(lines)
    assert lines == [line] * kept
    assert _read(reader) == [f"({written - kept} lines were not read in time and are lost)", "ready"]


def _read(reader: BinaryIO) -> list[str]:
    os.set_blocking(reader.fileno(), False)
    return reader.read().decode().splitlines()


def test_a_reader_that_is_gone_leaves_nothing_to_flush(pipe: tuple[BinaryIO, TextIO]) -> None:
    reader, writer = pipe
    output = Output(writer)
    reader.close()
    output.line("ready")
    output.line("ready")
    writer.close()  # where the stream still held a line, this would raise


def test_a_line_that_utf_8_cannot_say(pipe: tuple[BinaryIO, TextIO]) -> None:
    reader, writer = pipe
    Output(writer).line("caf\udce9")
    assert _read(reader) == ["caf\\udce9"]


def test_a_closed_stream() -> None:
    stream = io.StringIO()
    output = Output(stream)
    stream.close()
    output.line("ready")


@given(st.lists(st.text("aé\n", max_size=5)), st.data())
def test_lines_however_cut(texts: list[str], data: st.DataObject) -> None:
    stream = "".join(texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    lines, found = Lines(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += lines.feed(stream[start:end])
    found += lines.rest()
    assert found == stream.decode().removesuffix("\n").split("\n") if stream else found == []


def test_long_lines_come_in_pieces() -> None:
    lines = Lines()
    assert lines.feed(b"x" * 10) == []
    assert lines.feed(b"x" * LINE_BYTES) == ["x" * LINE_BYTES]
    assert lines.feed(b"y\n\n") == ["x" * 10 + "y", ""]
    assert lines.feed(b"\xff\n") == ["\N{REPLACEMENT CHARACTER}"]
    assert lines.rest() == []
