"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated, Final

import typer

MOST_S: Final = 1_000_000_000  # of any span: what a clock of the system can hold with ease
MOST: Final = 1_000_000_000  # of anything that is counted


def _or_of_the_settings(given: str | None) -> str | None:
    """What neither the flag nor FLEET_SERVERS says, the settings may. Where there are none, nothing is loaded."""
    from fleet import config_files

    if given or not any(config_files.tables()):
        return given
    from fleet import config

    return config.load().servers


def _number(given: float | None) -> float | None:
    """What is no number is neither too small nor too large; what has no end ends in thirty years."""
    if given is not None and given != given:
        raise typer.BadParameter("nan is no number of seconds")
    return given if given is None else min(given, MOST_S)


Servers = Annotated[
    str | None,
    typer.Option(
        "--servers",
        "-s",
        callback=_or_of_the_settings,
        envvar="FLEET_SERVERS",
        metavar="HOST:PORT,...",
        help="Job servers, with commas between them.",
        show_default="127.0.0.1:4730",
    ),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", "-t", min=0.001, callback=_number, metavar="SECONDS", help="How long to wait at most."),
]
Listen = Annotated[str, typer.Option("--listen", metavar="ADDRESS", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="The port to listen on; 0: any free one.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", "-w", min=1, max=1024, help="Jobs at a time.", show_default="the processors"),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        min=0.1,
        callback=_number,
        metavar="SECONDS",
        help="A job that runs longer is killed.",
        show_default="20",
    ),
]
Protocols = Annotated[
    list[str] | None,
    typer.Option("--protocol", "-r", metavar="NAME", help="Speak this beside Gearman: http. May be given again."),
]
HttpPort = Annotated[
    int | None, typer.Option("--http-port", min=0, max=65535, help="The port of HTTP.", show_default="8080")
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="WHERE", help="Where background jobs are kept: sqlite:PATH, memory, or none."),
]
Attempts = Annotated[
    int | None,
    typer.Option(min=1, max=MOST, help="How often a background job may fail before it goes to the dead letter."),
]
Keep = Annotated[
    int | None,
    typer.Option(
        "--keep", min=0, max=MOST_S, metavar="SECONDS", help="How long results can be asked for.", show_default="3600"
    ),
]
Cache = Annotated[
    list[str] | None,
    typer.Option(
        "--cache",
        metavar="FUNCTION=SPAN",
        help="Answer a submit whose unique has a result no older than that (90, 5m, 2h) with it. May be given again.",
    ),
]
Handle = Annotated[str | None, typer.Argument(metavar="HANDLE", help="The job.", show_default=False)]
Handles = Annotated[list[str] | None, typer.Argument(metavar="HANDLE...", help="The jobs.", show_default=False)]
OfFunction = Annotated[
    str | None, typer.Option("--function", "-f", metavar="FUNCTION", help="Only jobs of this function.")
]
WithUnique = Annotated[
    str | None, typer.Option("--function", "-f", metavar="FUNCTION", help="With --unique, in place of a handle.")
]
OfUnique = Annotated[str | None, typer.Option("--unique", "-u", help="With --function, in place of a handle.")]
Older = Annotated[
    str | None, typer.Option("--older", metavar="AGE", help="Only jobs of this age at least: 90, 5m, 2h or 7d.")
]
Most = Annotated[int, typer.Option("--limit", "-n", min=0, max=MOST, help="How many at most of each server; 0: all.")]
All = Annotated[bool, typer.Option("--all", help="All jobs, without a filter.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Sandbox = Annotated[
    str | None,
    typer.Option(
        metavar="required|preferred|off",
        help="Lock runners in: refuse to start if not all of it is to be had, say so loudly, or do without.",
        show_default="preferred",
    ),
]
User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="NAME",
        help="Where root starts the pool: whose rights its runners have.",
        show_default="nobody",
    ),
]
Isolation = Annotated[
    str | None,
    typer.Option(
        metavar="job|slot|none",
        help="A process for each job, one for many, or one for many without a sandbox, for trusted pictures.",
        show_default="job",
    ),
]
