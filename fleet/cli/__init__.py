"""The `fleet` command. Each module here is one command: it reads options, calls one function, prints the result.

Rule 1: results go to stdout, messages to stderr. Rule 2: what a command does not need is not imported; so the heavy
imports stand inside the functions. Rule 3: the exit codes are these, and the errors carry them:

    0  done                              4  the deadline passed
    1  a job failed                      5  the picture cannot be processed
    2  the command line makes no sense   6  some of several outputs failed
    3  no job server answered            7  there never was such a job
                                         8  what came of the job is not kept any more
                                        74  the store failed
                                        75  the queue is full; try again later
                                        78  the address cannot be listened on; the store is in use,
                                            cannot be opened, or is not there
                                       130  interrupted (Ctrl-C)
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, NoReturn

from fleet.errors import FleetError, UsageError

INTERRUPTED = 130
# Gearman's own programs, with command lines of their own; see fleet/cli/classic.
CLASSIC = {
    "gearman": "Gearman's own tool for the shell: run jobs, or be a worker.",
    "gearadmin": "Gearman's own tool to ask and tell a job server.",
    "gearmand": "The job server, with the options of Gearman's own.",
}


def main() -> NoReturn:
    """Run the command line of this process, and exit."""
    # Importing makes many objects and no garbage: looking for some in between takes 6 ms of every command.
    gc.set_threshold(50_000, 20, 100)
    _open_closed_streams()
    classic = sys.argv[1] if sys.argv[1:2] and sys.argv[1] in CLASSIC else ""
    code = _run(classic)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # whoever read our output has seen enough
    except OSError as error:
        code = code or _no_use_of_streams(classic, error)
    # Without the interpreter's tidying up, which takes 15 ms and frees nothing that the system does not.
    os._exit(code)


def _open_closed_streams() -> None:
    """A standard stream that whoever started us has closed is the null device: else a socket would take its number."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, fd)
            if null != fd:
                os.close(null)
            setattr(sys, name, os.fdopen(fd, mode))


def _run(classic: str) -> int:
    try:
        if classic:
            return _run_classic(classic)
        from fleet.cli.app import run

        return run(sys.argv[1:])
    except FleetError as error:
        say(f"{classic or 'fleet'}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _no_use_of_streams(classic, error)
    except SystemExit as exit:
        if isinstance(exit.code, str):
            say(f"{classic or 'fleet'}: {exit.code}")
            return 1
        return exit.code or 0


def _no_use_of_streams(classic: str, error: OSError) -> int:
    """Every other error of the system is told where it comes up, and is none by then; returns the exit code."""
    if error.filename is not None:
        raise error
    say(f"{classic or 'fleet'}: cannot read stdin or write stdout: {(error.strerror or str(error)).lower()}")
    return 1 if classic else UsageError.exit_code


def _run_classic(name: str) -> int:
    """One of Gearman's own programs, which have command lines of their own."""
    from importlib import import_module

    code: int = import_module(f"fleet.cli.classic.{name}").main(sys.argv[2:])
    return code


def shown(text: str) -> str:
    """As it may stand in a line: a file's name may have line breaks in it, a terminal's commands, half a letter."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def say(text: str) -> None:
    """A message to the person, in one line. Where it cannot be written there is nobody to tell that to."""
    try:
        print(shown(text), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        pass


def put_json(value: Any) -> None:
    """A result for programs that a person may read, too: each list of numbers in one line."""
    import json
    import re

    # A list that begins with a line break is none within a text, for there it would be escaped.
    lists = re.compile(r'\[\n[^\[\]{}"]*\]')
    put(lists.sub(lambda found: f"[{' '.join(found[0][1:-1].split())}]", json.dumps(value, indent=2)))


def put(text: str) -> None:
    """A line of the result."""
    print(text, flush=True)  # noqa: T201
