"""Kept jobs on the command line: which are chosen, and how they are shown. `fleet jobs` and `fleet dead` share it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import typer

from fleet.cli import options, put, put_json, say
from fleet.cli.files import write
from fleet.errors import FleetError, NoSuchJob, UsageError
from fleet.settings import span_s

if TYPE_CHECKING:
    from fleet.client import Client
    from fleet.client.kept import Change, JobInfo
    from fleet.settings import Address

Where = Literal["jobs", "dead"]
NOTHING: Final[dict[Where, str]] = {"jobs": "no background jobs", "dead": "no dead jobs"}

PARTIAL: Final = 6


def age(seconds: float | None) -> str:
    """A span as a person reads it: in its largest unit.

    >>> age(None), age(0.21), age(75), age(7300), age(200000)
    ('-', '0.2 s', '75 s', '121 min', '55 h')
    """
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min" if seconds < 7200 * 2 else f"{seconds // 3600:.0f} h"


@dataclass
class Asking:
    """What is asked of each of a client's servers, in turn; one that fails keeps no other from answering."""

    client: Client
    failed: list[FleetError] = field(default_factory=list)

    def each_server(self, ask: Callable[[Address], None]) -> None:
        for server in self.client.servers:
            try:
                ask(server)
            except FleetError as error:
                self.failed.append(error)

    def end(self) -> None:
        """Say what failed, and exit with a code for it, if anything did."""
        if len(self.failed) == len(self.client.servers):
            raise self.failed[0]
        for error in self.failed:
            say(f"fleet: {error}")
        if self.failed:
            raise typer.Exit(PARTIAL)


@dataclass(frozen=True)
class Choice:
    """Which jobs: those of these handles, or those that the filters let through."""

    where: Where
    handles: Sequence[str] = ()
    function: str | None = None
    older: str | None = None
    limit: int = 0  # 0: all

    def check(self, everything: bool) -> None:
        """What is changed must be chosen. Raises UsageError."""
        if self.handles and (self.function or self.older or everything):
            raise UsageError("name the jobs by their handles, or choose them with filters, but not both")
        if not (self.handles or self.function or self.older or everything):
            raise UsageError("name the jobs by their handles, or choose them with --function, --older or --all")

    def found(self, client: Client, server: Address) -> Iterator[JobInfo]:
        from fleet.client.kept import listed

        older = span_s(self.older) if self.older else 0
        jobs = listed(client, server, self.where, function=self.function, older=older)
        return islice(jobs, self.limit) if self.limit else jobs


def lister(where: Where, help: str) -> Callable[..., None]:
    """The command that prints jobs: a table, or a line of JSON for each."""

    def command(
        function: options.OfFunction = None,
        older: options.Older = None,
        limit: options.Most = 100,
        as_json: options.Json = False,
        servers: options.Servers = None,
        timeout: options.Timeout = 10.0,
    ) -> None:
        from fleet.client import Client

        choice = Choice(where, function=function, older=older, limit=limit)
        with Client(servers, timeout=timeout) as client:
            asking = Asking(client)
            if as_json:
                asking.each_server(lambda server: _print_lines(choice.found(client, server)))
            else:
                jobs: list[JobInfo] = []
                asking.each_server(lambda server: jobs.extend(choice.found(client, server)))
                if jobs:
                    _print_table(jobs)
                elif len(asking.failed) < len(client.servers):
                    say(f"fleet: {NOTHING[where]}{' like that' if function or older else ''}")
                if choice.limit and len(jobs) >= choice.limit:
                    say(f"fleet: there may be more than {choice.limit}; --limit 0 shows all")
            asking.end()

    command.__doc__ = help
    return command


def changer(what: Change, where: Where, help: str) -> Callable[..., None]:
    """The command that cancels, retries or purges jobs, and prints how many there were."""

    def command(
        handles: options.Handles = None,
        function: options.OfFunction = None,
        older: options.Older = None,
        everything: options.All = False,
        as_json: options.Json = False,
        servers: options.Servers = None,
        timeout: options.Timeout = 60.0,
    ) -> None:
        choice = Choice(where, handles or (), function, older)
        choice.check(everything)
        _change_all(what, choice, servers, timeout, as_json)

    command.__doc__ = help
    return command


def show_one(
    handle: str | None, function: str | None, unique: str | None, servers: str | None, timeout: float, as_json: bool
) -> None:
    """Print all that is known of one job."""
    from fleet.client import Client

    with Client(servers, timeout=timeout) as client:
        job = client.job(handle, function=function, unique=unique).status()
    if as_json:
        put_json(job.to_mapping())
        return
    for name, value in job.to_mapping().items():
        if name == "errors":
            for number, error in enumerate(value, 1):
                put(f"error {number:<4} {_printable(error)}")
        elif value not in ("", 0, (0, 0)):
            put(f"{name:<10} {_printable(_readable(name, value))}")


def save_workload(handle: str, file: Path, servers: str | None, timeout: float) -> None:
    """Write what a dead job was given."""
    from fleet.client import Client

    with Client(servers, timeout=timeout) as client:
        write(file, client.job(handle).workload())


def _change_all(what: Change, choice: Choice, servers: str | None, timeout: float, as_json: bool) -> None:
    """Raises NoSuchJob for handles that no server knew."""
    from fleet.client import Client
    from fleet.client.kept import CHANGES, change

    changed = 0

    def ask(server: Address) -> None:
        nonlocal changed
        handles = choice.handles or [job.handle for job in choice.found(client, server)]
        changed += change(client, server, what, handles)

    with Client(servers, timeout=timeout) as client:
        asking = Asking(client)
        asking.each_server(ask)
    done = CHANGES[what][1]
    put(json.dumps({done: changed}) if as_json else f"{done} {changed} job{'' if changed == 1 else 's'}")
    asking.end()
    if changed < len(choice.handles):
        missing = len(choice.handles) - changed
        raise NoSuchJob(f"{missing} of {len(choice.handles)} are not there any more, or cannot be {done}")


def _print_lines(jobs: Iterable[JobInfo]) -> None:
    for job in jobs:
        put(json.dumps(job.to_mapping()))


def _print_table(jobs: Sequence[JobInfo]) -> None:
    now = time.time()
    heads = ("HANDLE", "FUNCTION", "STATE", "AGE", "BYTES", "TRIED", "LAST ERROR")
    rows: list[tuple[str, ...]] = [heads]
    for job in jobs:
        since = age(max(0.0, now - (job.ended or job.submitted)))
        error = " ".join(job.errors[-1].split())[:100] if job.errors else ""
        tried = str(job.failures + job.deaths)
        cells = (job.handle, job.function, job.state, since, str(job.bytes), tried, error)
        rows.append(tuple(map(_printable, cells)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        put("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor or change its colours: names and errors are what others sent.

    >>> print(_printable("a" + chr(27) + "[2Jb"))
    a\\x1b[2Jb
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _readable(name: str, value: Any) -> str:
    if name in ("submitted", "run_at", "expires", "ended"):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    return f"{value[0]} of {value[1]}" if name == "progress" else str(value)
