"""Pictures from files: what is none is told as such, and what has no end is not read to it."""

from __future__ import annotations

import io
import os
import socket
import threading
from pathlib import Path

import pytest

from fleet.cli import files
from fleet.errors import BadImage, UsageError


def refused(source: str) -> str:
    with pytest.raises(UsageError) as caught:
        files.read(source)
    return str(caught.value)


def test_what_is_no_file_is_told_for_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert refused("socket") == "cannot read socket: it is a socket"
    assert refused("/dev/zero") == "cannot read /dev/zero: it is a device"
    assert refused(".") == "cannot read .: it is a directory; name the pictures in it, such as ./*.jpg"
    assert refused("") == "cannot read '': no such file or directory"
    assert refused("missing") == "cannot read missing: no such file or directory"


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = os.urandom(3_000_000)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    assert files.read(str(path)) == data
    writer.join()


def test_m47_what_has_no_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 5_000_000)
    assert files._all_of(io.BytesIO(bytes(5_000_000))) == bytes(5_000_000)
    with open("/dev/zero", "rb") as zeros, pytest.raises(BadImage, match="more than 5,000,000 bytes") as caught:
        files._all_of(zeros)
    assert caught.value.reason == "too-large"
