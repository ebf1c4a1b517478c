"""`fleet resize`: pictures in, smaller pictures out, through the fleet or in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fleet.cli import options
from fleet.cli.spec_options import with_spec_options


@with_spec_options
def resize(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="The pictures, or patterns such as '*.jpg'; - is stdin.")
    ],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where the result goes; - is stdout.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", metavar="DIR", help="A directory for many results.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="The box, in pixels; 320x or x240 leaves the other side free.", show_default="200x150"
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="All options from this preset of the settings.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the facts of each result, one JSON line each.")] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out what has its result already: resume.")
    ] = False,
    local: Annotated[bool, typer.Option("--local", help="Do it in this process, without a job server.")] = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
    **chosen: Any,
) -> None:
    """Make pictures smaller: upright, in sRGB, without metadata.

    Examples: fleet resize large.jpg -o thumb.jpg  |  fleet resize *.jpg -d thumbs/ --size 320x240 --fit cover
    """
    from fleet.cli.pictures import Destination, process
    from fleet.cli.resizing import Wanted, maker

    destination = Destination(output, directory, json)
    wanted = Wanted.from_command(destination, size, preset, chosen, local)
    jobs = destination.jobs(files, skip_existing)
    with maker(wanted, servers, timeout) as make:
        sys.exit(process(jobs, make, "resize", json))
