"""The pool's end of the socket to its zygote, with the other end here."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest

from fleet.workers.control import Control
from tests.processes import LIMIT_S, open_files

MANY = 50  # messages; of these a socket with the least buffer holds a few

Script = Callable[[Control, socket.socket, "asyncio.Queue[Any]"], Awaitable[None]]


def play(script: Script) -> None:
    """Run a script with a control, the zygote's end and what was heard; no descriptor may be left of it."""

    async def run() -> None:
        before = open_files()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        heard: asyncio.Queue[Any] = asyncio.Queue()
        with theirs, closing(Control(ours, heard.put_nowait)) as control:
            async with asyncio.timeout(LIMIT_S):
                await script(control, theirs, heard)
        assert set(os.listdir("/proc/self/fd")) == before

    asyncio.run(run())


def send_many(control: Control) -> None:
    """Each with a descriptor that its sender closes at once."""
    for number in range(MANY):
        fd = os.memfd_create("input")
        os.write(fd, b"%d" % number)
        control.send({"run": number}, [fd])
        os.close(fd)


def test_what_a_socket_does_not_hold_arrives_in_its_order_with_its_descriptors() -> None:
    async def script(control: Control, zygote: socket.socket, heard: asyncio.Queue[Any]) -> None:
        send_many(control)
        control.send({"kill": 1})
        zygote.setblocking(False)
        for number in range(MANY):
            while True:
                try:
                    data, fds, _, _ = socket.recv_fds(zygote, 1000, 2)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0)
            assert json.loads(data) == {"run": number}
            assert os.pread(fds[0], 10, 0) == b"%d" % number
            os.close(fds[0])
        await asyncio.sleep(0)
        assert json.loads(await asyncio.get_running_loop().sock_recv(zygote, 1000)) == {"kill": 1}

    play(script)


def test_what_waits_for_a_zygote_that_ends_is_given_up() -> None:
    async def script(control: Control, zygote: socket.socket, heard: asyncio.Queue[Any]) -> None:
        send_many(control)
        zygote.close()
        assert await heard.get() is None
        with pytest.raises(OSError, match="pipe"):
            control.send({"kill": 1})

    play(script)


def test_without_descriptors_what_would_have_to_wait_is_refused_and_the_rest_goes_on() -> None:
    async def script(control: Control, zygote: socket.socket, heard: asyncio.Queue[Any]) -> None:
        send_many(control)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))
        try:
            with pytest.raises(OSError, match="open files"):
                control.send({"run": MANY}, [0, 1])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        control.send({"kill": 1})

    play(script)
