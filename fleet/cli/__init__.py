"""The `fleet` command. Each module here is one command: it reads options, calls one function, prints the result.

Rule 1: results go to stdout, messages to stderr. Rule 2: what a command does not need is not imported; so the heavy
imports stand inside the functions. Rule 3: the exit codes are these, and the errors carry them:

    0  done                              4  the deadline passed
    1  a job failed                      5  the picture cannot be processed
    2  the command line makes no sense   6  some of several outputs failed
    3  no job server answered           75  the queue is full; try again later
                                        78  the address cannot be listened on
                                       130  interrupted (Ctrl-C)
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from fleet.errors import FleetError

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line of this process, and exit."""
    from fleet.cli.app import app

    try:
        app(standalone_mode=True, prog_name="fleet")
    except FleetError as error:
        say(f"fleet: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough. The interpreter would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


def say(text: str) -> None:
    """A message to the person, in one line."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def put(text: str) -> None:
    """A line of the result."""
    print(text, flush=True)  # noqa: T201
