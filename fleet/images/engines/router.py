"""Which engine opens a picture: of those that are installed, the one that was measured to be fastest at its format.

`docs/performance.md` has the measurements. An engine's library is loaded when the first picture is given to it, or by
`warm_up`.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib import import_module
from typing import Final

from fleet.errors import BadImage, BadSpec
from fleet.images.engines import Engine, Unusable
from fleet.images.sniff import FORMATS, Header

# Where each engine is, as "module:object", and the extra that brings its library.
ENGINES: Final = {
    "pillow": ("fleet.images.engines.pillow:PILLOW", None),
    "vips": ("fleet.images.engines.vips:VIPS", "vips"),
    "heif": ("fleet.images.engines.heif:HEIF", "heif"),
    "wand": ("fleet.images.engines.wand:WAND", "wand"),
}
# For each format the engines that open it, the fastest first.
ORDER: Final = {
    "jpeg": ("pillow", "vips"),
    "png": ("vips", "pillow"),
    "webp": ("pillow", "vips"),
    "gif": ("pillow", "vips"),
    "avif": ("pillow",),
    "tiff": ("pillow",),
    "heic": ("heif",),
    "svg": ("vips",),
    "psd": ("wand",),
}
RESAMPLER: Final = "vips"  # for what other engines have decoded, too
# Below this, libvips' start costs more than its speed saves.
WORTH_VIPS_PX: Final = 500_000


def engine_for(header: Header, wanted: str | None = None, *, lenient: bool = False) -> Engine:
    """The engine for such a picture; `wanted` names one that must be it, `lenient` is for one that is broken.

    Raises:
        BadImage: ``unsupported``: none that opens the format is installed.
        BadSpec: the one that is wanted is not installed, or does not open the format.
    """
    if wanted:
        return _wanted(header.format, wanted)
    order = ORDER[header.format]
    if order[-1] == "pillow" and (lenient or header.width * header.height < WORTH_VIPS_PX):
        order = ("pillow",)
    missing = []
    for name in order:
        found = load(name)
        if not isinstance(found, str):
            return found
        missing.append(found)
    raise BadImage("unsupported", f"{FORMATS[header.format]} cannot be opened here: {'; '.join(missing)}")


def _wanted(format: str, name: str) -> Engine:
    if name not in ORDER[format]:
        raise BadSpec(f"engine={name} does not open {FORMATS[format]}; {' and '.join(ORDER[format])} can")
    found = load(name)
    if isinstance(found, str):
        raise BadSpec(f"engine={name} cannot be used here: {found}")
    return found


class NotInstalled(str):
    """The extra that an engine needs is not here; that is no fault."""


@cache
def load(name: str) -> Engine | str:
    """An engine, or why it cannot be used here."""
    path, extra = ENGINES[name]
    module, _, attribute = path.partition(":")
    try:
        engine: Engine = getattr(import_module(module), attribute)
    except ImportError as error:
        reason = f"it needs gearfleet[{extra}] where the pictures are made"
        return NotInstalled(reason) if isinstance(error, ModuleNotFoundError) else f"{reason} ({error})"
    except (OSError, AttributeError) as error:
        return f"its library cannot be loaded: {error}"
    except Unusable as error:
        return str(error)
    return engine


def warm_up(formats: Collection[str] = FORMATS) -> None:
    """Warm up every engine that can be used for one of these formats.

    The others stay away: for what a zygote has loaded, each of its forks pays.
    """
    wanted = {RESAMPLER, *(name for format in formats for name in ORDER[format])}
    for name in ENGINES:
        engine = load(name) if name in wanted else ""
        if not isinstance(engine, str):
            engine.warm_up()
