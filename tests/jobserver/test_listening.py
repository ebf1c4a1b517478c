"""The sockets a job server listens on."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.jobserver.listening import RESERVED_DESCRIPTORS, CannotListen, connections_possible, open_sockets
from fleet.settings import Address


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """Sockets to be closed after the test."""
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


def test_every_address_of_this_machine_gets_the_same_port(opened: list[socket.socket]) -> None:
    opened += open_sockets(Address("", 0), 16)
    assert len({sock.getsockname()[1] for sock in opened}) == 1
    assert "0.0.0.0" in {sock.getsockname()[0] for sock in opened}
    socket.create_connection(("127.0.0.1", opened[0].getsockname()[1]), 5).close()


def test_a_name_is_resolved(opened: list[socket.socket]) -> None:
    opened += open_sockets(Address("localhost", 0), 16)
    assert {sock.getsockname()[0] for sock in opened} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "cannot assign requested address"),
        ("no-such-host.invalid", "not known"),
        ("a..b", "no name of a host"),
    ],
)
def test_an_address_that_is_not_ours_is_a_clear_error(host: str, reason: str) -> None:
    with pytest.raises(CannotListen, match=rf"cannot listen on {host}:7: .*{reason}.*choose another"):
        open_sockets(Address(host, 7), 16)


def test_a_taken_port_leaves_no_socket_open(opened: list[socket.socket]) -> None:
    opened += open_sockets(Address(port=0), 16)
    with pytest.raises(CannotListen, match="address already in use; stop what uses the port, or choose another"):
        open_sockets(Address(port=opened[0].getsockname()[1]), 16)


def test_a_port_of_roots_is_told_as_such() -> None:
    user = os.geteuid()
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 7:
        pytest.skip("anybody may listen on any port here")
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(CannotListen, match="permission denied; ports below 1024 are root's"):
            open_sockets(Address(port=7), 16)
    finally:
        os.seteuid(user)


def test_there_are_never_more_connections_than_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert connections_possible(100) == 100
        if hard != resource.RLIM_INFINITY:
            assert connections_possible(hard * 2) == hard - RESERVED_DESCRIPTORS
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_name_that_is_unknown_is_told_in_words() -> None:
    with pytest.raises(CannotListen, match=r"^cannot listen on no\.such\.invalid:0: [a-z ]+; choose another address$"):
        open_sockets(Address("no.such.invalid", 0), 1)
