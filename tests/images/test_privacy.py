"""A result says nothing but its pixels: not where the picture was taken, by whom, or what was hung behind it."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from fleet.images import Spec, render
from tests.images.builders import jpeg_segment, opened, profile_of, sample, saved, small, with_segments

P3 = profile_of("kitten-p3.jpg")
SECRET = b"48.8584N-2.2945E"


def telling(format: str) -> bytes:
    """A picture that says where it was taken in every way its format knows."""
    said = Image.Exif()
    said[0x010E] = SECRET.decode()
    said[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}
    image = Image.new("RGB", (64, 48), "#4080c0")
    xmp = b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
    options: dict[str, Any] = {"exif": said.tobytes(), "icc_profile": P3 + SECRET}
    if format == "png":
        options["pnginfo"] = text = PngImagePlugin.PngInfo()
        text.add_text("Comment", SECRET.decode())
        text.add_text("profile", SECRET.decode(), zip=True)
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        text.add(b"prVt", SECRET)
        text.add(b"prVt", SECRET, after_idat=True)
    elif format == "gif":
        return saved(image, "gif", comment=SECRET)
    else:
        options["xmp"] = xmp
    if format == "jpeg":
        options["comment"] = SECRET
        photoshop = jpeg_segment(0xED, b"Photoshop 3.0\08BIM\4\4\0\0\0\0\0\x10" + SECRET)
        return with_segments(saved(image, format, **options), photoshop)
    return saved(image, format, **options)


@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("source", ["jpeg", "png", "webp", "avif", "gif"])
@pytest.mark.parametrize("width", [64, 32])
def test_nothing_that_a_picture_says_of_itself_is_passed_on(source: str, target: str, width: int) -> None:
    data = telling(source)
    assert SECRET in data
    result = render(data, Spec(width, None, format=target))
    assert SECRET not in result.data
    image = opened(result)
    assert not image.getexif()
    assert not image.getexif().get_ifd(0x8825)
    assert not {"exif", "xmp", "icc_profile", "comment", "Comment", "photoshop", "profile", "dpi"} & set(image.info)
    assert not getattr(image, "text", None)


def test_the_gps_position_of_the_sample_is_gone() -> None:
    assert opened(sample("large.jpg")).getexif().get_ifd(0x8825)
    for size in (200, None):
        result = render(sample("large.jpg"), Spec(size, None))
        assert b"Exif" not in result.data
        assert b"ICC_PROFILE" not in result.data


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif"])
def test_what_is_hung_behind_a_picture_is_not_passed_on(format: str) -> None:
    tail = b"PK\3\4<?php echo 'hello'; ?><script>alert(1)</script>"
    result = render(small(format) + tail)
    assert not any(word in result.data for word in (b"PK\3\4", b"<?php", b"<script>"))
