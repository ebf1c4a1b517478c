"""`fleet thumbnails`: several sizes of each picture, of one upload and one decoding."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from fleet.cli import options
from fleet.cli.spec_options import with_spec_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleet.cli.pictures import Maker
    from fleet.config import Config
    from fleet.images import Spec


@with_spec_options
def thumbnails(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="The pictures, or patterns such as '*.jpg'; - is stdin.")
    ],
    directory: Annotated[
        Path, typer.Option("--directory", "-d", metavar="DIR", help="Where the results go, each as FILE-NAME.FORMAT.")
    ],
    size: Annotated[
        list[str] | None,
        typer.Option("--size", metavar="NAME=WxH", help="A result's name and box; or NAME=PRESET. May be given often."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A preset of the settings. May be given often."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the facts of each result, one JSON line each.")] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out what has all its results already: resume.")
    ] = False,
    local: Annotated[bool, typer.Option("--local", help="Do it in this process, without a job server.")] = False,
    servers: options.Servers = None,
    timeout: options.Timeout = 60.0,
    **chosen: Any,
) -> None:
    """Make several sizes of each picture. The other options hold for all that are no presets.

    Example: fleet thumbnails large.jpg -d thumbs --size card=320x240 --size full=1600x --preset avatar --fit cover
    """
    from fleet.cli.pictures import Destination, process
    from fleet.cli.spec_options import chosen as read

    values = read(chosen)
    here = Here.of_the_settings(values) if local else None
    sizes = _sizes([*(size or ()), *(f"{name}={name}" for name in preset or ())], values)
    jobs = Destination(None, directory).jobs(files, skip_existing, sizes)
    with _maker(sizes, here, servers, timeout) as make:
        sys.exit(process(jobs, make, "thumbnails", json))


def _sizes(words: list[str], values: dict[str, Any]) -> dict[str, Spec | str]:
    from fleet.errors import UsageError
    from fleet.images import Spec
    from fleet.images.envelope import NAME

    if not words:
        raise UsageError("say which sizes are wanted, such as --size card=320x240, or --preset NAME")
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


class Here(NamedTuple):
    """What this process needs to make them itself."""

    settings: Config
    marks: Mapping[str, bytes]

    @classmethod
    def of_the_settings(cls, values: dict[str, Any]) -> Here:
        """Raises UsageError."""
        from fleet import config
        from fleet.cli.marks import marks

        settings = config.load()
        return cls(settings, marks(values, settings))


@contextmanager
def _maker(sizes: Mapping[str, Spec | str], here: Here | None, servers: str | None, timeout: float) -> Iterator[Maker]:
    """Who makes them: the fleet, or this process."""
    if here is None:
        from fleet.client import Client

        with Client(servers, timeout=timeout) as client:
            yield lambda data: client.thumbnails(data, sizes).stream
        return
    from fleet.images import envelope, render_many

    presets, limits = here.settings.presets, here.settings.limits
    specs = {name: envelope.preset_of(size, presets) if isinstance(size, str) else size for name, size in sizes.items()}
    yield lambda data: lambda: render_many(data, specs, limits, watermarks=here.marks)
