"""`fleet identify`: what pictures are, and whether they would be taken."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli import put, shown

if TYPE_CHECKING:
    from fleet.images.identify import Identity


def identify(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="The pictures, or patterns such as '*.jpg'; - is stdin.", show_default=False
        ),
    ],
    decode: Annotated[bool, typer.Option("--decode", help="Decode all of it, too, in this process.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs; one line for each file.")] = False,
) -> None:
    """Show what pictures are, and the verdict on them: ok, unsupported, too-large, corrupt or resource.

    The header says it; broken pixels are only found with --decode. Limits are those of the settings. Exits with 5 if
    no picture is ok, with 6 if some are not.
    """
    from fleet import config
    from fleet.cli.files import read
    from fleet.cli.pictures import PARTIAL, expanded, failed
    from fleet.errors import BadImage, FleetError
    from fleet.images.identify import identify as look

    limits = config.load().limits
    codes = []
    for file in (file for pattern in files for file in expanded(pattern)):
        try:
            found = look(read(file), limits, decode=decode)
        except FleetError as error:
            codes.append(failed("identify", file, error))
            continue
        put(json.dumps({"file": file, **asdict(found)}) if as_json else _line(file, found))
        codes.append(0 if found.verdict == "ok" else BadImage.exit_code)
    bad = [code for code in codes if code]
    if bad:
        sys.exit(bad[0] if len(bad) == len(codes) else PARTIAL)


def _line(file: str, found: Identity) -> str:
    facts = [found.verdict, found.format or "no picture"]
    if found.width:
        facts.append(f"{found.width}x{found.height}")
        facts.append("1 frame" if found.frames == 1 else f"{found.frames} frames")
    facts.append(f"{found.bytes:,} bytes")
    if found.orientation is not None:
        facts.append(f"orientation {found.orientation}, profile {found.profile or 'none'}")
    if found.engine:
        facts.append(f"decoded by {found.engine}")
    facts.append(f"sha256 {found.sha256[:16]}...")
    text = f"{shown(file)}: {', '.join(facts)}"
    return f"{text}\n  {found.why}" if found.why else text
