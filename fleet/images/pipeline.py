"""From a picture's bytes and a spec to a finished picture: look, refuse, open, view, plan, load, finish, encode.

Several sizes of one picture are made of one decoding, at the size that the largest needs.

Importing this loads no image library: the modules that need one are imported when the first picture comes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from fleet.errors import BadImage, BadSpec
from fleet.images.facts import Facts
from fleet.images.geometry import (
    CENTER,
    Anchor,
    Box,
    Plan,
    Size,
    part,
    plan,
    rotated,
    shrunk,
    size_of,
    stored_size,
    turn,
)
from fleet.images.geometry import anchor as anchor_of
from fleet.images.limits import Limits, check, check_result
from fleet.images.picture import Picture
from fleet.images.sniff import FORMATS, Buffer, Header, sniff
from fleet.images.spec import MOVING, Spec

if TYPE_CHECKING:
    from PIL import Image

    from fleet.images.engines import Frame, Source
    from fleet.images.views import Held

Watermarks = Mapping[str, bytes]
Made = TypeVar("Made")

NO_WATERMARKS: Final[Watermarks] = {}


@dataclass(frozen=True, slots=True)
class _Terms:
    """What holds for all results of one call."""

    limits: Limits
    watermarks: Watermarks
    facts: bool
    complete: bool = True  # false: what can be decoded of a broken source will do


def render(
    data: Buffer,
    spec: Spec | None = None,
    limits: Limits | None = None,
    *,
    watermarks: Watermarks = NO_WATERMARKS,
    facts: bool = True,
) -> Picture:
    """Make the picture that `spec` asks for: upright, in sRGB, without metadata.

    Args:
        data: a JPEG, PNG, WebP, GIF or AVIF; of a moving one the first frame, unless the spec asks for all.
        spec: what is wanted; None is 200x150, inside.
        limits: what is refused.
        watermarks: pictures by the names that specs may use for them.
        facts: whether the result's `facts` are wanted; they take one or two milliseconds.

    Raises:
        BadImage: its `reason` is ``unsupported``, ``too-large``, ``corrupt`` or ``resource``.
        BadSpec: the picture has not what the spec names: a part of it, a watermark.
    """
    spec = spec or Spec()
    frames = _frames(spec, limits or Limits())

    def make(terms: _Terms) -> Picture:
        with _opened(data, frames, terms, spec.engine) as (header, source):
            return _made(header, source, source.size, spec, terms)

    return _at_best(make, _Terms(limits or Limits(), watermarks, facts), spec.lenient)


def render_many(
    data: Buffer,
    specs: Mapping[str, Spec],
    limits: Limits | None = None,
    *,
    watermarks: Watermarks = NO_WATERMARKS,
    facts: bool = True,
) -> Iterator[tuple[str, Picture]]:
    """The pictures that several specs ask for, by name, largest first, each as soon as it is made; as `render`.

    The source is decoded once, at the size that the largest of them needs, and all are made of that. A broken one
    will do if that holds for each of them.
    """

    def make(terms: _Terms) -> tuple[Header, Held, _Terms]:
        return *_held(data, specs, terms), terms

    lenient = all(spec.lenient for spec in specs.values())
    header, held, terms = _at_best(make, _Terms(limits or Limits(), watermarks, facts), lenient)
    with _memory_is_short():
        for name in sorted(specs, key=lambda name: -_scale(held.size, specs[name])):
            yield name, _made(header, held, held.size, specs[name], terms)


def _at_best(make: Callable[[_Terms], Made], terms: _Terms, lenient: bool) -> Made:
    """What is made of the whole picture; or, where that will do and the picture is broken, of what there is of it."""
    try:
        return make(terms)
    except BadImage as error:
        if not lenient or error.reason != "corrupt":
            raise
    return make(replace(terms, complete=False))


def _held(data: Buffer, specs: Mapping[str, Spec], terms: _Terms) -> tuple[Header, Held]:
    """A source in memory, at the size that the largest of the results needs."""
    from fleet.images.views import hold

    frames = max((_frames(spec, terms.limits) for spec in specs.values()), default=1)
    engine = next((spec.engine for spec in specs.values() if spec.engine), None)
    with _opened(data, frames, terms, engine) as (header, source):
        scale = max((_scale(source.size, spec) for spec in specs.values()), default=1.0)
        linear = any(spec.linear for spec in specs.values())
        return header, hold(source, shrunk(source.size, scale), frames, linear)


@contextmanager
def _opened(data: Buffer, frames: int, terms: _Terms, engine: str | None = None) -> Iterator[tuple[Header, Source]]:
    from fleet.images.engines.router import engine_for

    header = sniff(data, terms.limits.formats)
    check(header, len(data), terms.limits, frames)
    lenient = not terms.complete
    opener = engine_for(header, engine, lenient=lenient)
    with _memory_is_short(), opener.open(data, header, terms.limits, lenient=lenient) as source:
        yield header, source


@contextmanager
def _memory_is_short() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise BadImage("resource", "the picture needs more memory than it may have") from error


def _frames(spec: Spec, limits: Limits) -> int:
    """How many frames are wanted at most."""
    can_move = spec.format in (None, "auto", *MOVING)
    return limits.frames if spec.animated and can_move else 1


def _made(header: Header, source: Source, original: Size, spec: Spec, terms: _Terms) -> Picture:
    from fleet.images import formats
    from fleet.images.encode import encode
    from fleet.images.engines import Frame, Reduction
    from fleet.images.finish import Work, finish
    from fleet.images.metadata import copyright

    frames = _frames(spec, terms.limits)
    source, planned = _view(source, spec, frames)
    check_result(Size(*(side + 2 * spec.padding for side in planned.canvas)), terms.limits)
    loaded = source.load(Reduction(planned.crop, planned.scaled, frames, spec.linear))
    if not terms.complete and _is_empty(loaded.frames[0].image):
        raise BadImage("corrupt", f"the {header.format.upper()} is broken, and nothing of it can be decoded")
    work = Work(spec, planned, _mark(spec, planned.scaled, terms))
    finished = [Frame(finish(image, work), duration_ms) for image, duration_ms in loaded.frames]
    format = formats.chosen(spec, header.format, finished[0].image, len(finished))
    finished = finished if format in MOVING else finished[:1]
    kept = copyright(loaded.exif) if spec.keep_copyright else b""
    result = encode(finished, spec, format, loaded.loops, kept)
    if not terms.facts:
        return Picture(result)
    return Picture(result, _facts(result, format, finished, header, original, loaded.engine, terms.complete))


def _is_empty(image: Image.Image) -> bool:
    """Of one colour, as pixels are that no decoder has come to."""
    return image.width * image.height > 1 and image.getcolors(1) is not None


# -- Views and plans ------------------------------------------------------------------------------------------------


def _view(source: Source, spec: Spec, frames: int) -> tuple[Source, Plan]:
    """The source as the spec has it turned, cut and trimmed, and how that is fitted into the box."""
    from fleet.images import smart, views
    from fleet.images.engines import REDUCING_GAP

    scale = _scale(source.size, spec)
    if spec.rotate % 90:
        degrees = -spec.rotate if spec.flip != spec.flop else spec.rotate
        source = views.Turned(source, turn(0, spec.flip, spec.flop))
        held = views.hold(source, shrunk(source.size, REDUCING_GAP * scale), frames, spec.linear)
        source = views.rotate(held, degrees, spec.background)
    elif (orientation := turn(spec.rotate, spec.flip, spec.flop)) != 1:
        source = views.Turned(source, orientation)
    if spec.crop:
        source = views.Part(source, _part(source.size, spec.crop))
    if spec.trim is not None:
        source = views.trim(views.hold(source, source.size, frames), spec.trim)
    planned = _planned(source.size, spec)
    if spec.gravity == "smart" and spec.fit == "cover" and planned.crop != (0, 0, *source.size):
        held = views.hold(source, shrunk(source.size, _ratio(planned)), frames, spec.linear)
        left, top, right, bottom = planned.crop
        wide, high = (right - left) / source.size.width, (bottom - top) / source.size.height
        return held, _planned(source.size, spec, smart.anchor(held.loaded.frames[0].image, wide, high))
    return source, planned


def _planned(size: Size, spec: Spec, anchor: Anchor | None = None) -> Plan:
    if anchor is None and spec.focus:
        anchor = Anchor(*spec.focus, point=True)
    if anchor is None:
        anchor = CENTER if spec.gravity == "smart" else anchor_of(spec.gravity)
    return plan(size, spec.width, spec.height, spec.fit, spec.enlarge, anchor)


def _scale(size: Size, spec: Spec) -> float:
    """How much of a source's resolution the spec needs: 1.0 is all of it."""
    return 1.0 if spec.trim is not None else _ratio(_planned(_seen(size, spec), spec))


def _ratio(planned: Plan) -> float:
    left, top, right, bottom = planned.crop
    return max(planned.scaled.width / (right - left), planned.scaled.height / (bottom - top))


def _seen(size: Size, spec: Spec) -> Size:
    """The size of a source once it is turned and cut."""
    if spec.rotate % 90:
        size = rotated(size, spec.rotate)
    else:
        size = stored_size(size, turn(spec.rotate, spec.flip, spec.flop))
    return size_of(_part(size, spec.crop)) if spec.crop else size


def _part(size: Size, crop: tuple[int, int, int, int]) -> Box:
    found = part(size, *crop)
    if found is None:
        text = ",".join(map(str, crop))
        raise BadSpec(f"crop={text} lies outside the picture, which has {size.width}x{size.height} pixels")
    return found


# -- Beside the picture ---------------------------------------------------------------------------------------------


def _mark(spec: Spec, size: Size, terms: _Terms) -> Image.Image | None:
    """The spec's watermark, at its size on a picture of that size."""
    if spec.watermark is None:
        return None
    from fleet.images.engines import Reduction
    from fleet.images.watermark import room

    if spec.watermark not in terms.watermarks:
        known = ", ".join(terms.watermarks) or "none"
        raise BadSpec(f"there is no watermark {spec.watermark!r}; the settings have: {known}")
    try:
        with _opened(terms.watermarks[spec.watermark], 1, replace(terms, complete=True)) as (_, source):
            planned = plan(source.size, *room(size, spec.watermark_size), "inside")
            return source.load(Reduction(planned.crop, planned.scaled)).frames[0].image
    except BadImage as error:
        if error.reason not in BadImage.FINAL:
            raise
        raise BadSpec(f"the watermark cannot be used: {error}") from error  # the picture is good, perhaps


def _facts(
    data: bytes, format: str, frames: list[Frame], header: Header, original: Size, engine: str, complete: bool
) -> Facts:
    from hashlib import sha256

    from fleet.images import placeholder

    image = frames[0].image
    look = placeholder.small(image)
    return Facts(
        format=format,
        width=image.width,
        height=image.height,
        frames=len(frames),
        bytes=len(data),
        sha256=sha256(data).hexdigest(),
        dominant_colour=placeholder.dominant_colour(look),
        thumbhash=placeholder.thumbhash(look),
        source_format=header.format,
        source_width=original.width,
        source_height=original.height,
        engine=engine,
        complete=complete,
    )


def warm_up(formats: Collection[str] = FORMATS) -> None:
    """Load the decoders of these formats, every encoder, and all else, for the processes that are forked from this one.

    They may not be able to load anything themselves: a sandbox has no files.
    """
    import difflib  # noqa: F401  (for the words of a refusal)

    from fleet.images import encode
    from fleet.images.engines import router
    from fleet.images.sniff import load_readers

    load_readers()
    router.warm_up(formats)
    for data in encode.samples():
        render(data, Spec(8, 8, "cover", gravity="smart"))
        render(data, Spec(8, 8, "contain"), facts=False)
