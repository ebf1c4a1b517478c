"""Asking a job server in its text protocol, over a connection of its own."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Final, NamedTuple

from fleet.client.link import LinkLost
from fleet.client.reasons import REMEDY
from fleet.dial import reason_of
from fleet.errors import Deadline, NoServer
from fleet.protocol.admin import END
from fleet.settings import MIB, Address

ANSWER_BYTES: Final = 64 * MIB
# The commands that answer with a table, or with an ERR line; all others answer with one line.
TABLES: Final = frozenset({b"clients", b"jobs", b"prioritystatus", b"show", b"status", b"workers"})


class FunctionStatus(NamedTuple):
    """One line of `status`: jobs queued and running together, jobs running, workers that can do it."""

    name: str
    jobs: int
    running: int
    workers: int


def ask(address: Address, command: str, timeout: float = 3.0) -> str:
    """The answer to one text command, without its final dot. Raises as `answer` does."""
    found = answer(address, command.encode(), timeout)
    return (found[: -len(END)] if found.endswith(END) else found.rstrip()).decode("utf-8", "replace")


def answer(address: Address, command: bytes, timeout: float = 3.0) -> bytes:
    """The whole answer to one text command: a table with its final dot, or a line.

    Args:
        timeout: seconds for all of it.

    Raises:
        NoServer: nobody listens there.
        Deadline: somebody does, but does not answer.
    """
    deadline = time.monotonic() + timeout
    name = command.decode("utf-8", "replace")
    try:
        with socket.create_connection((address.host, address.port), timeout) as sock:
            sock.sendall(command + b"\r\n")  # gearmand cuts the last letter off a name before a bare \n
            return _read(sock, command.split(maxsplit=1)[0].lower() in TABLES, deadline)
    except TimeoutError:
        raise Deadline(f"{address} did not answer `{name}` in {timeout:g} s; is that a job server?") from None
    except (OSError, LinkLost) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise NoServer(f"no job server answered: {address} ({reason}). {REMEDY}") from None


def _read(sock: socket.socket, table: bool, deadline: float) -> bytes:
    found = bytearray()
    while len(found) < ANSWER_BYTES:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = sock.recv(65536)
        if not chunk:
            raise LinkLost("it closed the connection")
        found += chunk
        if _whole(found, table):
            return bytes(found)
    raise LinkLost("its answer has no end")


def _whole(answer: bytearray, table: bool) -> bool:
    if not table or (answer.startswith(b"ERR ") and b"\t" not in answer):
        return answer.endswith(b"\n")
    return answer == END or answer.endswith(b"\n" + END)


def status(address: Address, timeout: float = 3.0) -> list[FunctionStatus]:
    """The functions a job server knows. Raises as `ask` does."""
    rows = (line.split("\t") for line in ask(address, "status", timeout).splitlines())
    return [FunctionStatus(name, int(jobs), int(running), int(workers)) for name, jobs, running, workers in rows]


def counters(address: Address, timeout: float = 3.0) -> dict[str, Any] | None:
    """What became of each function's jobs, see docs/protocol.md; None: this job server does not count.

    Raises as `ask` does.
    """
    found = ask(address, "counters", timeout)
    return json.loads(found.removeprefix("OK ")) if found.startswith("OK {") else None


def version(address: Address, timeout: float = 3.0) -> str:
    """The job server's version, as it says it. Raises as `ask` does."""
    return ask(address, "version", timeout).removeprefix("OK").strip()
