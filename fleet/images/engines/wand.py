"""The Wand engine: ImageMagick, for Photoshop files, which nothing else here opens.

Rule 1: ImageMagick runs under a policy of ours, beside this file, that lets it read this one format from memory and
nothing else: no program, no script, no address, no file. Rule 2: unless that policy is seen to be in force, there is
no engine. Rule 3: of a file's pictures only the first is read, which is all layers in one.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

# Where the policy is; read once, when the library is loaded.
os.environ["MAGICK_CONFIGURE_PATH"] = str(Path(__file__).with_name("imagemagick"))
os.environ["MAGICK_THREAD_LIMIT"] = "1"

from PIL import Image
from wand.api import libmagick, library
from wand.image import Image as MagickImage
from wand.resource import limits as resources
from wand.version import MAGICK_VERSION

from fleet.images.engines import Unusable
from fleet.images.engines.blame import blamed
from fleet.images.engines.pillow import PillowSource
from fleet.images.limits import Limits, check
from fleet.images.sniff import Buffer, Header

CODER, DELEGATE, PATH = 1, 2, 4  # ImageMagick's numbers for what a policy is about,
READ, EXECUTE = 1, 4  # and for what it allows
CHAR: Final = 1  # samples of 8 bits
DENIED: Final = (
    *("MVG", "MSVG", "MSL", "URL", "HTTP", "HTTPS", "FTP", "FILE", "PS", "EPS", "PDF", "XPS", "SVG", "RSVG", "TEXT"),
    *("TXT", "LABEL", "CAPTION", "EPHEMERAL", "INLINE", "MPEG", "VIDEO", "XC", "X", "PNG", "JPEG", "TIFF"),
)
FOR_EVER: Final = 1 << 62  # seconds
AT_MOST: Final = {"memory": 512 << 20, "map": 0, "disk": 0, "area": 51_000_000, "width": 20_000, "height": 20_000}


class Wand:
    """The engine of the extra `gearfleet[wand]`."""

    name = "wand"
    library = " ".join(MAGICK_VERSION.split()[:2])
    formats = frozenset({"psd"})

    def __init__(self) -> None:
        library.MagickWandGenesis()
        if missing := not_in_force():
            raise Unusable(f"ImageMagick's policy is not in force as it should be: {'; '.join(missing)}")

    @contextmanager
    def open(self, data: Buffer, header: Header, limits: Limits, *, lenient: bool = False) -> Iterator[PillowSource]:
        with blamed(header), MagickImage() as picture:
            library.MagickSetFilename(picture.wand, header.format.encode() + b":[0]")
            if not library.MagickReadImageBlob(picture.wand, bytes(data), len(data)):
                picture.raise_exception()
            check(Header(header.format, *picture.size), len(data), limits)
            image = _pixels(picture)
            image.info["icc_profile"] = picture.profiles["icc"]
        yield PillowSource(image, header, self.name)

    def warm_up(self) -> None:
        head = b"8BPS\0\1\0\0\0\0\0\0\0\3\0\0\0\1\0\0\0\1\0\x08\0\3"
        with self.open(head + bytes(12) + b"\0\0\x80\x80\x80", Header("psd", 1, 1), Limits()):
            pass


def not_in_force() -> list[str]:
    """What the policy should say and does not, as the loaded library sees it."""
    ask = libmagick.IsRightsAuthorized
    ask.argtypes, ask.restype = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p], ctypes.c_int
    open_coders = [name for name in DENIED if ask(CODER, READ, name.encode())]
    found = [f"it reads {', '.join(open_coders)}"] if open_coders else []
    if not ask(CODER, READ, b"PSD"):
        found.append("it does not read PSD: the system's own policy forbids that")
    if ask(DELEGATE, EXECUTE, b"gs"):
        found.append("it starts programs")
    if ask(PATH, READ, b"@/etc/passwd") or ask(PATH, READ, b"/etc/passwd"):
        found.append("it reads files by their names")
    if resources["time"] < FOR_EVER:  # since the process began; a pool's is older than any such limit
        found.append(f"it ends the process after {resources['time']} seconds: unset MAGICK_TIME_LIMIT, or the policy's")
    return found + [
        f"its limit of {name} is {resources[name]}" for name, most in AT_MOST.items() if resources[name] > most
    ]


def _pixels(picture: Any) -> Image.Image:
    """A Pillow image of what ImageMagick decoded, in 8 bits."""
    if picture.colorspace not in ("cmyk", "srgb", "rgb", "gray"):
        picture.transform_colorspace("srgb")
    mode = "CMYK" if picture.colorspace == "cmyk" else "RGBA" if picture.alpha_channel else "RGB"
    pixels = bytearray(picture.width * picture.height * len(mode))
    whole = 0, 0, picture.width, picture.height
    place = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    if not library.MagickExportImagePixels(picture.wand, *whole, mode.encode(), CHAR, ctypes.byref(place)):
        picture.raise_exception()
    return Image.frombuffer(mode, picture.size, pixels, "raw", mode, 0, 1)


WAND: Final = Wand()
