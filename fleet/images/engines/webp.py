"""WebP for the Pillow engine: a still picture is decoded at the size that is wanted, as a JPEG is.

Pillow takes every WebP for a moving picture: it decodes all of it and copies that twice. The library that it is linked
with can scale while it decodes; here that library is asked directly. Rule: where it cannot be asked, because it is not
there or of another make, Pillow does it in its own way, and the result is the same but for rounding.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import IO, Any, Final

from PIL import Image, WebPImagePlugin

from fleet.images.engines import remains
from fleet.images.headers.webp import chunk

ABI: Final = 0x0209  # of the structures below, as libwebp's decode.h has it since 2020; another is refused by libwebp
RGB, RGBA = 0, 1
OUT_OF_MEMORY, WAITS_FOR_MORE, BREAKS_OFF = 1, 5, 7


class _Config(ctypes.Structure):
    """WebPDecoderConfig."""

    _fields_ = (
        # WebPBitstreamFeatures
        *((name, ctypes.c_int) for name in ("width", "height", "has_alpha", "has_animation", "kind")),
        ("pad_of_features", ctypes.c_uint32 * 5),
        # WebPDecBuffer
        *((name, ctypes.c_int) for name in ("colourspace", "made_width", "made_height", "is_external")),
        ("pixels", ctypes.c_void_p),
        ("stride", ctypes.c_int),
        ("size", ctypes.c_size_t),
        ("rest_of_union", ctypes.c_uint8 * 56),
        ("pad_of_buffer", ctypes.c_uint32 * 4),
        ("private_memory", ctypes.c_void_p),
        # WebPDecoderOptions
        *((name, ctypes.c_int) for name in ("bypass_filtering", "no_fancy_upsampling", "use_cropping")),
        *((name, ctypes.c_int) for name in ("crop_left", "crop_top", "crop_width", "crop_height")),
        *((name, ctypes.c_int) for name in ("use_scaling", "scaled_width", "scaled_height", "use_threads")),
        *((name, ctypes.c_int) for name in ("dithering", "flip", "alpha_dithering")),
        ("pad_of_options", ctypes.c_uint32 * 5),
    )


@cache
def library() -> Any:
    """The libwebp that Pillow is linked with; None if it cannot be asked."""
    try:
        from PIL import _webp

        found = ctypes.CDLL(_webp.__file__)
        data = ctypes.c_char_p, ctypes.c_size_t
        found.WebPGetFeaturesInternal.argtypes = *data, ctypes.c_void_p, ctypes.c_int
        found.WebPDecode.argtypes = *data, ctypes.c_void_p
        found.WebPIDecode.argtypes, found.WebPIDecode.restype = (*data, ctypes.c_void_p), ctypes.c_void_p
        found.WebPIUpdate.argtypes = ctypes.c_void_p, *data
        found.WebPIDelete.argtypes = (ctypes.c_void_p,)
        return found if found.WebPInitDecoderConfigInternal(ctypes.byref(_Config()), ABI) else None
    except (ImportError, AttributeError, OSError):
        return None


class WebPFile(WebPImagePlugin.WebPImageFile):
    """Scaled down by its decoder if it is still and opaque; of a transparent one, hidden colours would come out."""

    def _open(self) -> None:
        assert self.fp
        file = self.fp
        try:
            super()._open()
        except OSError:
            if not (remains.will_do() and library()):
                raise
            self._open_what_is_left(file)
        file.seek(0)
        self._data = file.read()
        self._is_still = bool(library()) and not _config(self._data).has_animation

    def _open_what_is_left(self, file: IO[bytes]) -> None:
        """Of a picture that Pillow does not open, because it breaks off."""
        file.seek(0)
        data = file.read()
        config = _config(data)
        if config.has_animation or not config.width:
            raise OSError("the data is truncated")
        self._size, self._mode = (config.width, config.height), "RGBA" if config.has_alpha else "RGB"
        self.n_frames, self.is_animated = 1, False
        if profile := chunk(data, b"ICCP"):
            self.info["icc_profile"] = profile

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Down by the largest whole number that leaves it as large as `size`, like Pillow's own `reduce`."""
        if not self._is_still or self.mode != "RGB" or not size:
            return None
        by = min(self.width // max(1, size[0]), self.height // max(1, size[1]))
        if by < 2:
            return None
        self._size = -(-self.width // by), -(-self.height // by)
        return self.mode, (0, 0, *self._size)

    def load(self) -> Any:
        if not self._is_still:
            return super().load()
        if self._im is None:
            pixels = _decoded(self._data, self.size, len(self.mode))
            self.im = Image.frombuffer(self.mode, self.size, pixels, "raw", self.mode, 0, 1).im
        return Image.Image.load(self)


def _config(data: bytes) -> _Config:
    config = _Config()
    library().WebPGetFeaturesInternal(data, len(data), ctypes.byref(config), ABI)
    return config


def _decoded(data: bytes, size: tuple[int, int], bands: int) -> bytearray:
    width, height = size
    pixels = bytearray(width * height * bands)
    config = _config(data)
    config.use_scaling = size != (config.width, config.height)
    config.scaled_width, config.scaled_height = size
    config.colourspace = RGBA if bands == 4 else RGB
    config.is_external, config.stride, config.size = 1, width * bands, len(pixels)
    config.pixels = ctypes.addressof((ctypes.c_char * len(pixels)).from_buffer(pixels))
    status = (_decode_what_comes if remains.will_do() else library().WebPDecode)(data, len(data), ctypes.byref(config))
    if status == OUT_OF_MEMORY:
        raise MemoryError
    if status and not (remains.will_do() and any(pixels)):
        raise OSError("the data is truncated" if status in (WAITS_FOR_MORE, BREAKS_OFF) else f"libwebp says {status}")
    return pixels


def _decode_what_comes(data: bytes, size: int, config: Any) -> int:
    """Row by row, as from a network: the rows that are decoded stay, whatever comes then."""
    decoder = library().WebPIDecode(None, 0, config)
    if not decoder:
        return OUT_OF_MEMORY
    status: int = library().WebPIUpdate(decoder, data, size)
    library().WebPIDelete(decoder)
    return status
