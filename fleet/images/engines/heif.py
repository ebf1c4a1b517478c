"""The HEIF engine: libheif, through pillow-heif, for the pictures of telephones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pillow_heif

from fleet.images.engines import Reduction
from fleet.images.engines.blame import blamed
from fleet.images.engines.pillow import PillowSource
from fleet.images.geometry import Box, Size
from fleet.images.limits import Limits, check
from fleet.images.sniff import Buffer, Header

pillow_heif.options.DECODE_THREADS = 1  # one picture, one processor: the pool has as many runners as it wants
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False


class Heif:
    """The engine of the extra `gearfleet[heif]`."""

    name = "heif"
    library = f"libheif {pillow_heif.libheif_version()}"
    formats = frozenset({"heic"})

    @contextmanager
    def open(self, data: Buffer, header: Header, limits: Limits, *, lenient: bool = False) -> Iterator[PillowSource]:
        with blamed(header):
            picture = pillow_heif.open_heif(bytes(data), convert_hdr_to_8bit=True)
            check(Header(header.format, *picture.size), len(data), limits)
            image = picture.to_pillow()
        # libheif turns it upright, and pillow-heif has the EXIF say so; what it adds besides is not wanted.
        image.info = {name: image.info[name] for name in ("exif", "icc_profile") if image.info.get(name)}
        yield PillowSource(image, header, self.name)

    def warm_up(self) -> None:
        data = Path(__file__).with_name("warm.heic").read_bytes()  # not made here: the encoder starts threads
        with self.open(data, Header("heic", 64, 64), Limits()) as source:
            source.load(Reduction(Box(0, 0, 64, 64), Size(8, 8)))


HEIF: Final = Heif()
