"""`fleet resize`: pictures in, smaller pictures out, through the fleet or in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fleet.cli import options


def resize(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="The pictures; - is stdin.", show_default=False)],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where the result goes; - is stdout.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", metavar="DIR", help="A directory for many results.")
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="The box, in pixels; 320x or x240 leaves the other side free.")
    ] = "200x150",
    fit: Annotated[
        str, typer.Option(help="How the picture fits the box: inside, outside, cover, contain or fill.")
    ] = "inside",
    format: Annotated[
        str | None,
        typer.Option(help="jpeg, png, webp or avif.", show_default="by the output's name, else as the source"),
    ] = None,
    quality: Annotated[int | None, typer.Option(help="1 to 100.", show_default="by format")] = None,
    background: Annotated[
        str | None, typer.Option(metavar="#RRGGBB", help="For padding, and behind what was transparent.")
    ] = None,
    enlarge: Annotated[bool, typer.Option("--enlarge", help="Make small pictures larger, too.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Do it in this process, without a job server.")] = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
) -> None:
    """Make pictures smaller: upright, in sRGB, without metadata.

    Examples: fleet resize large.jpg -o thumb.jpg  |  fleet resize *.jpg -d thumbs/ --size 320x240 --fit cover
    """
    from fleet.cli.pictures import Destination, local_maker, process, remote_maker

    destination = Destination(output, directory)
    chosen = {"fit": fit, "quality": quality, "background": background, "enlarge": enlarge or None}
    wanted: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    spec = destination.spec(size, format, wanted)
    jobs = list(destination.jobs(files))
    with local_maker(spec) if local else remote_maker(spec, servers, timeout) as maker:
        sys.exit(process(jobs, maker))
