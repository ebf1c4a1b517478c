"""`fleet gearadmin`: asks and tells a job server, as Gearman's own `gearadmin` does.

The exit code is 1 for a senseless command line and without a job server, as in the original, and also when the server
answers with an error, where the original says 0.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from fleet.cli import put, say
from fleet.cli.classic.options import NO_TLS, Chosen, Option, Senseless, help_lines, parse, port
from fleet.errors import FleetError
from fleet.settings import DEFAULT_PORT, Address

ANSWER_S: Final = 10.0  # for the answer to one command
FAILED: Final = 1

OPTIONS: Final = (
    Option("", "help", help="print this"),
    Option("h", "host", "HOST", "the job server's host (localhost)"),
    Option("p", "port", "PORT", f"its port, a number or the name of a service ({DEFAULT_PORT})"),
    Option("", "server-version", help="the job server's version"),
    Option("", "server-verbose", help="how much it logs"),
    Option("", "create-function", "FUNCTION", "make a function known"),
    Option("", "cancel-job", "HANDLE", "take a job out of its queue"),
    Option("", "drop-function", "FUNCTION", "forget a function that no worker has registered"),
    Option("", "show-unique-jobs", help="the uniques of all jobs"),
    Option("", "show-jobs", help="all jobs: handle, retries, whether nobody wants it, whether it is a background job"),
    Option("", "getpid", help="the number of its process"),
    Option("", "status", help="all functions: jobs, running jobs, workers"),
    Option("", "priority-status", help="all functions: jobs queued at high, normal and low priority, workers"),
    Option("", "workers", help="all connections: descriptor, address, client id, functions"),
    Option("S", "ssl", refused=NO_TLS),
)
# What is sent for each action, in the order in which several of them are done: the original's.
COMMANDS: Final = {
    "getpid": "getpid",
    "create-function": "create function {}",
    "drop-function": "drop function {}",
    "show-jobs": "show jobs",
    "show-unique-jobs": "show unique jobs",
    "cancel-job": "cancel job {}",
    "server-verbose": "verbose",
    "server-version": "version",
    "workers": "workers",
    "priority-status": "prioritystatus",
    "status": "status",
}


def main(argv: Sequence[str]) -> int:
    """Run the program with these arguments; returns the exit code."""
    chosen, _ = parse(argv, OPTIONS)  # words are ignored, as in the original
    if "help" in chosen:
        put(f"Usage: fleet gearadmin [OPTIONS] ACTION...\n\n{help_lines(OPTIONS)}")
        return 0
    commands = commands_of(chosen)
    address = Address(chosen.get("host", ["localhost"])[-1], port(chosen.get("port", [str(DEFAULT_PORT)])[-1]))
    try:
        answers = [_do(address, command) for command in commands]
    except FleetError as error:
        say(f"Error: {error}")
        return FAILED
    return 0 if all(answers) else FAILED


def commands_of(chosen: Chosen) -> list[bytes]:
    """What is to be sent, in order. Raises Senseless."""
    found = [os.fsencode(command.format(*chosen[name])) for name, command in COMMANDS.items() if name in chosen]
    if not found:
        raise Senseless("what is to be done? Give --status, or another action; --help lists them")
    if any(b"\n" in command for command in found):
        raise Senseless("a name with a newline in it would be two commands")
    return found


def _do(address: Address, command: bytes) -> bool:
    """Print what the server answers; False if that was an error."""
    from fleet.client import admin

    answer = admin.answer(address, command, ANSWER_S)
    if answer.count(b"\n") == 1:  # a line; a table may have a function that is called OK or ERR
        if answer.startswith(b"ERR"):
            say(f"Error: {os.fsdecode(answer.removeprefix(b'ERR').strip())}")
            return False
        if answer.startswith(b"OK"):
            answer = (answer.removeprefix(b"OK").strip() or b"OK") + b"\n"
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return True
