"""A finished picture is its bytes, and knows what they are."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest

from fleet.errors import BadImage
from fleet.images import Picture
from tests.images.builders import small


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_it_reads_the_facts_from_its_own_header(format: str) -> None:
    picture = Picture(small(format, (31, 7)))
    assert (picture.format, picture.width, picture.height) == (format, 31, 7)
    assert picture.content_type == f"image/{format}"


def test_it_is_its_bytes_and_they_can_be_had_alone() -> None:
    data = small("png")
    picture = Picture(data)
    assert picture == data
    assert type(picture.data) is bytes
    assert picture.data == data
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert pickle.loads(pickle.dumps(picture)).width == 64


def test_it_is_saved_as_it_is(tmp_path: Path) -> None:
    picture = Picture(small("png"))
    picture.save(tmp_path / "a.png")
    picture.save(str(tmp_path / "b.png"))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes() == picture
    with pytest.raises(OSError, match="nowhere"):
        picture.save(tmp_path / "nowhere" / "a.png")


def test_it_is_shown_in_a_line_and_never_as_bytes() -> None:
    picture = Picture(small("png"))
    assert repr(picture) == str(picture) == f"<Picture png 64x48, {len(picture) / 1000:.1f} kB>"


def test_the_bytes_of_no_picture_say_so_when_asked() -> None:
    with pytest.raises(BadImage, match="text"):
        _ = Picture(b"not a picture").width
