"""The names of jobs."""

from __future__ import annotations

import socket

import pytest

from fleet.jobserver.handles import HANDLE_BYTES, handle_maker


def test_handles_are_unique_and_say_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "img1.example.org")
    make = handle_maker()
    handles = {make() for _ in range(2000)}
    assert len(handles) == 2000
    assert all(handle.startswith(b"H:img1:") for handle in handles)
    assert handles.isdisjoint(handle_maker()() for _ in range(2000))


@pytest.mark.parametrize("prefix", ["H:lap", "x" * 200, "a b\0c\td\u00e9", ":"])
def test_a_handle_of_any_prefix_fits_and_can_stand_in_a_table(prefix: str) -> None:
    handle = handle_maker(prefix)()
    assert handle.startswith(prefix[:5].encode() if prefix.isprintable() and prefix.isascii() else b"a-b-c-d-")
    assert len(handle) <= HANDLE_BYTES
    assert not set(handle) & set(b"\0 \t\n")
