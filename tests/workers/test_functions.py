"""The pool's functions on pictures, called as a runner calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import BadImage, BadSpec, UsageError
from fleet.images import Header, Spec, envelope, sniff
from fleet.workers.channel import Progress
from fleet.workers.functions import NAMES, kit
from tests.images.builders import sample, small

AVATAR = {"width": 64, "height": 64, "fit": "cover", "format": "webp"}


def called(function: str, workload: bytes, **settings: object) -> bytes:
    result = kit(**settings).load()[function](memoryview(workload))  # type: ignore[arg-type]
    assert isinstance(result, bytes)
    return bytes(result)


def test_every_preset_is_a_function() -> None:
    made = kit({"avatar": AVATAR})
    assert made.names == (*NAMES, "thumb.avatar")
    assert json.loads(json.dumps(made)) == [made.path, made.arguments, list(made.names)]
    assert sniff(called("thumb.avatar", sample("kitten.png"), presets={"avatar": AVATAR})) == Header("webp", 64, 64)


def test_a_preset_takes_from_a_request_what_depends_on_who_will_look() -> None:
    presets = {"auto": {"width": 64, "format": "auto"}}
    line = envelope.prefix({"accept": "image/avif"})
    assert sniff(called("thumb.auto", line + sample("large.jpg"), presets=presets)).format == "avif"
    with pytest.raises(BadSpec, match="takes no 'width'"):
        called("thumb.auto", envelope.prefix({"width": 9}) + small("png"), presets=presets)


def test_facts_come_when_they_are_asked_for() -> None:
    plain = called("resize", sample("kitten.gif"))
    assert sniff(plain) == Header("png", 200, 150)
    _, picture = envelope.picture_of(called("resize", envelope.prefix({}, facts=True) + sample("kitten.gif")))
    assert picture == plain
    assert picture.facts
    assert (picture.facts.source_format, picture.facts.source_width, picture.facts.engine) == ("gif", 800, "pillow")


def test_several_sizes_come_one_by_one_the_largest_first() -> None:
    line = envelope.prefix_many({"small": {"width": 40}, "large": {"width": 160, "height": 120}, "mine": "avatar"})
    function = kit({"avatar": AVATAR}).load()["thumbnails"]
    parts = function(memoryview(line + sample("kitten.png")))
    assert isinstance(parts, Iterator)
    names, progress = [], []
    *middle, last = parts
    for part in middle:
        if isinstance(part, Progress):
            progress.append(tuple(part))
        else:
            name, picture = envelope.picture_of(part)
            names.append(name)
            assert picture.facts
            assert (picture.width, picture.height) == (picture.facts.width, picture.facts.height)
    assert names == ["large", "mine", "small"]
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert isinstance(last, bytes)
    assert list(json.loads(last)["thumbnails"]) == names


def test_a_watermark_comes_from_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "logo.png"
    file.write_bytes(small("png", (64, 64), "#ff0000"))
    line = envelope.prefix({"watermark": "logo", "format": "png"})
    marked = called("resize", line + small("png", (200, 150), "#000000"), watermarks={"logo": str(file)})
    assert marked != called("resize", small("png", (200, 150), "#000000"))
    with pytest.raises(BadSpec, match="there is no watermark 'logo'"):
        called("resize", line + small("png"))
    with pytest.raises(UsageError, match="cannot be read"):
        kit(watermarks={"logo": "/nowhere.png"}).load()


def test_limits_come_from_the_settings() -> None:
    with pytest.raises(BadImage, match="the limit is 10 on a side"):
        called("resize", small("png"), limits={"side_px": 10})


def serialized(src: bytes, **sides: int) -> bytes:
    body = b's:3:"src";s:%d:"%s";' % (len(src), src)
    body += b"".join(b's:1:"%s";i:%d;' % (name.encode(), value) for name, value in sides.items())
    return b"a:%d:{%s}" % (1 + len(sides), body)


def test_the_classic_payload_is_understood() -> None:
    picture = sample("kitten.gif")
    assert sniff(called("shrink_image", serialized(picture, x=80, y=80))) == Header("png", 80, 60)
    assert sniff(called("shrink_image", picture)) == Header("png", 200, 150)


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        (serialized(b"/etc/passwd"), "no file is read because a client named it"),
        (b'a:1:{s:1:"x";i:1;}', "has no src"),
        (b'a:1:{s:3:"src";O:8:"stdClass":0:{}}', "byte "),
        (serialized(sample("kitten.gif"), x=0), "width=0"),
    ],
    ids=["path", "nothing", "object", "size"],
)
def test_a_classic_payload_that_is_refused(workload: bytes, words: str) -> None:
    with pytest.raises(BadSpec, match=words):
        called("shrink_image", workload)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/x.jpg", "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://[::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "file:///etc/passwd", "gopher://127.0.0.1/x"),
    ],
)
def test_m48_m49_no_address_is_fetched_from_because_a_client_named_it(url: str) -> None:
    with pytest.raises(BadImage, match="this is text, not a picture"):
        called("resize", url.encode())
    with pytest.raises(BadSpec, match="no file is read because a client named it"):
        called("shrink_image", serialized(url.encode()))


def test_a_spec_of_the_library_is_the_one_on_the_wire() -> None:
    assert envelope.specs_of({"sizes": {"a": Spec(9, 9).to_mapping()}}, {}) == {"a": Spec(9, 9)}
