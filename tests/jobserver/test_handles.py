"""The names of jobs."""

from __future__ import annotations

import socket

import pytest

from fleet.jobserver.handles import HANDLE_BYTES, handle_maker, made_with


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


def test_a_maker_knows_its_handles_again_and_no_others() -> None:
    make = handle_maker("H:lap", mark=7)
    handles = [make() for _ in range(1000)]
    assert all(made_with(7, handle) for handle in handles)
    assert sum(made_with(8, handle) for handle in handles) < 10  # one in 4096 passes by chance
    assert sum(made_with(7, handle.swapcase()) for handle in handles) < 10
    assert not any(made_with(7, strange) for strange in (b"", b"H:lap:1", b"\0"))
