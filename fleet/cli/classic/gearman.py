"""`fleet gearman`: jobs from the command line, and programs as workers, as Gearman's own `gearman` has them.

The exit code is 1 for a failed job and for a senseless command line, as in the original; 3 without a job server and
4 for a deadline, where the original says 0.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from fleet.cli import put, say
from fleet.cli.classic.options import NO_TLS, Chosen, Option, Senseless, help_lines, number, parse, port
from fleet.settings import DEFAULT_PORT, Address, ServerLimits, parse_servers

if TYPE_CHECKING:
    from fleet.client.watched import Event, WatchedTask

ACCEPT_S: Final = 60.0  # for a job server to take a job, when there is no -t
FAILED: Final = 1
TERMINATED: Final = 128 + 15

COMMON: Final = (
    Option("f", "function", "FUNCTION", "the function; several may be given", often=True),
    Option("h", "host", "HOST", "the job server's host (localhost)"),
    Option("p", "port", "PORT", f"its port ({DEFAULT_PORT})"),
    Option("t", "timeout", "MS", "how long to wait for anything to happen, in milliseconds"),
    Option("i", "pid-file", "FILE", "write the number of this process there"),
    Option("d", "daemon", help="detach from the terminal and go on in the background"),
    Option("v", "verbose", help="say what is going on"),
    Option("H", "help", help="print this"),
    Option("S", "ssl", refused=NO_TLS),
)
CLIENT: Final = (
    Option("b", "background", help="do not wait for the jobs"),
    Option("I", "high", help="high priority"),
    Option("L", "low", help="low priority"),
    Option("n", "lines", help="a job for each line of the input"),
    Option("N", "stripped-lines", help="the same, without the newline"),
    Option("P", "prefix", help="put the function's name before what is printed"),
    Option("s", "no-input", help="send an empty job instead of reading the input"),
    Option("u", "unique", "UNIQUE", "jobs of a function with equal uniques are one; -: those with equal input"),
)
WORKER: Final = (
    Option("w", "worker", help="be a worker"),
    Option("c", "count", "N", "end after so many jobs"),
)
USAGE: Final = """\
Usage: fleet gearman [OPTIONS] -f FUNCTION [INPUT...]             run jobs, print what comes back
       fleet gearman [OPTIONS] -w -f FUNCTION [-- PROGRAM ARGS]   do jobs: the input is the program's stdin

Both:
{common}
Jobs:
{client}
Workers:
{worker}
  -n, -N (above) send each line of the program's output as data of its own, as it is printed
  without a program, the input of every job is printed

Environment: GEARMAN_SERVER (HOST[:PORT],...) is used instead of -h and -p; GEARMAN_SERVERS are added to them."""


def main(argv: Sequence[str]) -> int:
    """Run the program with these arguments; returns the exit code."""
    chosen, words = _parse(argv)
    if "help" in chosen:
        put(USAGE.format(common=help_lines(COMMON), client=help_lines(CLIENT), worker=help_lines(WORKER)))
        return 0
    if "function" not in chosen:
        raise Senseless("which function? Give -f FUNCTION; -H lists the options")
    servers = servers_of(chosen, os.environ)
    with ExitStack() as stack:
        if "daemon" in chosen or "pid-file" in chosen or "worker" in chosen:
            _become(chosen, stack)
        return (_work if "worker" in chosen else _run)(chosen, words, servers)


def _parse(argv: Sequence[str]) -> tuple[Chosen, list[str]]:
    try:
        return parse(argv, (*COMMON, *CLIENT, *WORKER))
    except Senseless as error:
        if "-w" in argv and "--" not in argv:
            raise Senseless(f"{error}; a program with options of its own needs -- before it") from None
        raise


def servers_of(chosen: Chosen, environ: Mapping[str, str]) -> tuple[Address, ...]:
    """The job servers. Raises UsageError."""
    if instead := environ.get("GEARMAN_SERVER"):
        return parse_servers(instead)
    added = parse_servers(environ["GEARMAN_SERVERS"]) if environ.get("GEARMAN_SERVERS") else ()
    if added and not ("host" in chosen or "port" in chosen):
        return added
    host = chosen.get("host", ["localhost"])[-1]
    return (Address(host, port(chosen.get("port", [str(DEFAULT_PORT)])[-1])), *added)


def _become(chosen: Chosen, stack: ExitStack) -> None:
    """A daemon, with a pid file that goes when SIGTERM comes."""
    import signal

    from fleet.cli.classic import process

    ready = process.detach() if "daemon" in chosen else None
    signal.signal(signal.SIGTERM, _terminate)
    stack.enter_context(process.pid_file(chosen["pid-file"][-1] if "pid-file" in chosen else None))
    if ready:
        ready()


def _terminate(*_: object) -> None:
    """Unwind: the pid file goes, a program that runs is killed, its job goes back to the job server."""
    sys.exit(TERMINATED)


def _seconds(chosen: Chosen) -> float:
    """What -t says; without it, or below 1, there is no limit."""
    wait_ms = number(chosen, "timeout", -(2**31), 2**31, 0)
    return wait_ms / 1000 if wait_ms > 0 else math.inf


# -- jobs ---------------------------------------------------------------------------------------------------------


def _run(chosen: Chosen, words: Sequence[str], servers: tuple[Address, ...]) -> int:
    """Submit a job for each input and function; the functions of one input run side by side, inputs in their order."""
    from fleet.client import Client
    from fleet.client.watched import submit, watch

    wait_s = _seconds(chosen)
    how: dict[str, Any] = {
        "unique": _unique(chosen),
        "priority": "high" if "high" in chosen else "low" if "low" in chosen else "normal",
        "background": "background" in chosen,
        "timeout": min(wait_s, ACCEPT_S),
    }
    code = 0
    with Client(servers, timeout=wait_s) as client:
        for workload in _inputs(chosen, words):
            tasks = []
            for function in chosen["function"]:
                tasks.append(submit(client, function, workload, **how))
                if "verbose" in chosen:
                    put(f"Task created: {tasks[-1].handle}")
            for task, event in () if "background" in chosen else watch(tasks):
                _show(task, event, "prefix" in chosen)
                if event.kind == "fail":
                    code = FAILED
    return code


def _unique(chosen: Chosen) -> str | None:
    """`#` is libgearman's way to say `-`: equal inputs are one job."""
    unique = chosen.get("unique", [""])[-1]
    return "-" if unique == "#" else unique or None


def _inputs(chosen: Chosen, words: Sequence[str]) -> Iterator[bytes]:
    """What the jobs work on: the words, or nothing, or the lines of stdin, or all of it."""
    # One byte more than a packet holds, so that too much is refused instead of cut.
    most_bytes = ServerLimits.packet_bytes + 1
    if words:
        yield from map(os.fsencode, words)
    elif "no-input" in chosen:
        yield b""
    elif "lines" in chosen or "stripped-lines" in chosen:
        while line := sys.stdin.buffer.readline(most_bytes):
            yield line.removesuffix(b"\n") if "stripped-lines" in chosen else line
    else:
        yield sys.stdin.buffer.read(most_bytes)


def _show(task: WatchedTask, event: Event, with_name: bool) -> None:
    """Results, data and progress to stdout; warnings and failures to stderr."""
    if event.kind == "status":
        numerator, denominator = event.progress
        text = b"%d%% Complete\n" % (numerator * 100 // denominator if denominator else 0)
    elif event.kind == "fail":
        text = b"Job failed: %s\n" % event.data if event.data else b"Job failed\n"
    else:
        text = event.data
    out = sys.stderr.buffer if event.kind in ("warning", "fail") else sys.stdout.buffer
    if text:
        out.write(task.function + b": " + text if with_name else text)
        out.flush()


# -- workers ------------------------------------------------------------------------------------------------------


def _work(chosen: Chosen, words: Sequence[str], servers: tuple[Address, ...]) -> int:
    """Do jobs, for ever or until -c says that it is enough."""
    import logging

    from fleet.workers import Worker
    from fleet.workers.command import Command, to_stdout

    logging.basicConfig(format="gearman: %(message)s", level="INFO" if "verbose" in chosen else "WARNING")
    strip = "stripped-lines" in chosen
    call = Command(words, lines=strip or "lines" in chosen, strip=strip) if words else to_stdout
    turns, wait_s = number(chosen, "count", 0, 2**31, 0), _seconds(chosen)
    with Worker(servers) as worker:
        for function in chosen["function"]:
            worker.register(function, call)
        if not turns:
            worker.work()
        while turns > 0:
            done = worker.work(turns, idle=wait_s)
            if done < turns:
                say(f"gearman: no job in {wait_s:g} s")
            turns -= done + (done < turns)  # a wait in vain is a turn, too, as in the original
    return 0
