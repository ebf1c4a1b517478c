"""`fleet thumbnails`: several sizes of one picture, of one upload and one decoding."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet.cli import options
from fleet.cli.spec_options import with_spec_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.images import Picture, Spec


@with_spec_options
def thumbnails(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The picture; - is stdin.", show_default=False)],
    directory: Annotated[
        Path, typer.Option("--directory", "-d", metavar="DIR", help="Where the results go, each as NAME.FORMAT.")
    ],
    size: Annotated[
        list[str],
        typer.Option("--size", metavar="NAME=WxH", help="A result's name and box; or NAME=PRESET. May be given often."),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the facts of each result, one JSON line each.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Do it in this process, without a job server.")] = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
    **chosen: Any,
) -> None:
    """Make several sizes of one picture. The other options hold for all that are no presets.

    Example: fleet thumbnails large.jpg -d thumbs --size card=320x240 --size full=1600x --size face=avatar --fit cover
    """
    from fleet.cli.files import write
    from fleet.cli.pictures import SUFFIXES, failed, make_directory, put_facts, read
    from fleet.cli.spec_options import chosen as values
    from fleet.errors import FleetError

    sizes = _sizes(size, values(chosen))
    make_directory(directory)
    try:
        for name, picture in _made(read(file), sizes, local, servers, timeout):
            target = directory / f"{name}{SUFFIXES[picture.format]}"
            write(target, picture)
            if json:
                put_facts(file, target, picture, name=name)
    except FleetError as error:
        sys.exit(failed("thumbnails", file, error))


def _sizes(words: list[str], values: dict[str, Any]) -> dict[str, Spec | str]:
    from fleet.errors import UsageError
    from fleet.images import Spec
    from fleet.images.envelope import NAME

    found: dict[str, Spec | str] = {}
    for word in words:
        name, equals, box = word.partition("=")
        if not equals or not NAME.fullmatch(name) or name in found:
            raise UsageError(f"--size {word}: write NAME=WxH or NAME=PRESET, each name once, such as card=320x240")
        if box and box.lower().strip("0123456789") == "x":
            width, height = Spec.parse_size(box)
            found[name] = Spec.from_mapping({"width": width, "height": height, **values})
        else:
            found[name] = box
    return found


def _made(
    data: bytes, sizes: dict[str, Spec | str], local: bool, servers: str | None, timeout: float
) -> Iterator[tuple[str, Picture]]:
    from fleet import config
    from fleet.images import envelope, render_many

    settings = config.load()
    if not local:
        from fleet.client import Client

        with Client(servers or settings.servers, timeout=timeout) as client:
            yield from client.thumbnails(data, sizes)
        return
    specs = {name: envelope.preset_of(s, settings.presets) if isinstance(s, str) else s for name, s in sizes.items()}
    yield from render_many(data, specs, settings.limits, watermarks=settings.marks())
