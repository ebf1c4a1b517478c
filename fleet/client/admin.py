"""Asking a job server in its text protocol, over a connection of its own."""

from __future__ import annotations

import socket
import time
from typing import Final, NamedTuple

from fleet.client.link import LinkLost, reason_of
from fleet.errors import Deadline, NoServer
from fleet.settings import MIB, Address

ANSWER_BYTES: Final = 64 * MIB


class FunctionStatus(NamedTuple):
    """One line of `status`: jobs queued and running together, jobs running, workers that can do it."""

    name: str
    jobs: int
    running: int
    workers: int


def ask(address: Address, command: str, timeout: float = 3.0) -> str:
    """The answer to one text command, without its final dot.

    Args:
        timeout: seconds for all of it.

    Raises:
        NoServer: nobody listens there.
        Deadline: somebody does, but does not answer.
    """
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((address.host, address.port), timeout) as sock:
            sock.sendall(command.encode() + b"\n")
            return _answer(sock, deadline).decode("utf-8", "replace")
    except TimeoutError:
        raise Deadline(f"{address} did not answer `{command}` in {timeout:g} s; is that a job server?") from None
    except (OSError, LinkLost) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise NoServer(
            f"no job server answered: {address} ({reason}). Check --servers, and that `fleet up` runs"
        ) from None


def _answer(sock: socket.socket, deadline: float) -> bytes:
    answer = bytearray()
    while len(answer) < ANSWER_BYTES:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = sock.recv(65536)
        if not chunk:
            raise LinkLost("it closed the connection")
        answer += chunk
        if answer == b".\n" or answer.endswith(b"\n.\n"):
            return bytes(answer[:-2])
        if answer.startswith((b"OK", b"ERR")) and answer.endswith(b"\n"):
            return bytes(answer).rstrip()
    raise LinkLost("its answer has no end")


def status(address: Address, timeout: float = 3.0) -> list[FunctionStatus]:
    """The functions a job server knows. Raises as `ask` does."""
    rows = (line.split("\t") for line in ask(address, "status", timeout).splitlines())
    return [FunctionStatus(name, int(jobs), int(running), int(workers)) for name, jobs, running, workers in rows]


def version(address: Address, timeout: float = 3.0) -> str:
    """The job server's version, as it says it. Raises as `ask` does."""
    return ask(address, "version", timeout).removeprefix("OK").strip()
