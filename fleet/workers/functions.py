"""What the pool does with pictures: its functions by name, and what the settings say of them.

Rule: this is the only file of the workers that knows of pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from fleet.errors import BadImage, BadSpec, UsageError
from fleet.images import Limits, Spec, envelope, pipeline, render, render_many
from fleet.images.envelope import Request
from fleet.workers import php
from fleet.workers.channel import Progress
from fleet.workers.kit import Function, Kit, Part

NAMES: Final = ("resize", "thumbnail", "thumbnails", "shrink_image")
PREFIX: Final = "thumb."  # of the functions that are presets
OF_A_PRESET: Final = frozenset({"accept"})  # what depends on who will look, and so may come with each request


def kit(
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    watermarks: Mapping[str, str] | None = None,
    limits: Mapping[str, int] | None = None,
) -> Kit:
    """The functions on pictures.

    Args:
        presets: the options of a `Spec`, by the preset's name; each is a function, ``thumb.NAME``.
        watermarks: the files of pictures, by the names that specs may use for them.
        limits: fields of `Limits` that are not at their defaults.
    """
    presets = presets or {}
    arguments = {"presets": presets, "watermarks": watermarks or {}, "limits": limits or {}}
    return Kit(f"{__name__}:make", arguments, (*NAMES, *(PREFIX + name for name in presets)))


def make(
    presets: Mapping[str, Mapping[str, Any]], watermarks: Mapping[str, str], limits: Mapping[str, Any]
) -> dict[str, Function]:
    """The functions of that kit, with all that they need in memory. Raises UsageError and BadSpec."""
    allowed = Limits(**limits)
    pipeline.warm_up(allowed.formats)
    pictures = Pictures(
        {name: Spec.from_mapping(options) for name, options in presets.items()},
        {name: _file(name, path) for name, path in watermarks.items()},
        allowed,
    )
    functions: dict[str, Function] = {
        "resize": pictures.resize,
        "thumbnail": pictures.resize,
        "thumbnails": pictures.thumbnails,
        "shrink_image": pictures.shrink_image,
    }
    return functions | {PREFIX + name: partial(pictures.preset, name) for name in presets}


def _file(name: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"the watermark {name} cannot be read from {path}: {why}") from error


class Pictures:
    """The functions. All raise BadSpec and BadImage; see `fleet.images`."""

    def __init__(self, presets: Mapping[str, Spec], watermarks: Mapping[str, bytes], limits: Limits) -> None:
        self._presets = presets
        self._watermarks = watermarks
        self._limits = limits

    def resize(self, workload: memoryview) -> bytes:
        """One picture: 200x150, inside; or as the line of options before it says."""
        request = envelope.unpack(workload)
        return self._made(Spec.from_mapping(request.options), request)

    def preset(self, name: str, workload: memoryview) -> bytes:
        """One picture, as the settings say."""
        request = envelope.unpack(workload)
        if others := request.options.keys() - OF_A_PRESET:
            raise BadSpec(f"{PREFIX}{name} has its options from the settings, and takes no {min(others)!r}; use resize")
        options = self._presets[name].to_mapping() | request.options
        return self._made(Spec.from_mapping(options), request)

    def thumbnails(self, workload: memoryview) -> Iterator[Part]:
        """Several pictures of one, each as soon as it is made; at the end what was made."""
        request = envelope.unpack(workload)
        specs = envelope.specs_of(request.options, self._presets)
        done = {}
        for name, picture in render_many(request.data, specs, self._limits, watermarks=self._watermarks):
            assert picture.facts
            done[name] = picture.facts
            yield envelope.packed(picture, name)
            yield Progress(len(done), len(specs))
        yield envelope.manifest(done)

    def shrink_image(self, workload: memoryview) -> bytes:
        """PHP's classic: bytes of a picture, or a serialized array that has them as `src`, and the box as `x` and `y`.

        A path as `src` is not followed: nothing here reads a file because a client named it.
        """
        if bytes(workload[:2]) != b"a:":
            return self.resize(workload)
        try:
            array = php.unserialize(bytes(workload))
        except php.NotSerialized as error:
            raise BadSpec(f"the workload begins like a serialized array; {error}") from error
        assert isinstance(array, dict)
        spec, data = classic(array)
        return render(data, spec, self._limits, watermarks=self._watermarks, facts=False)

    def _made(self, spec: Spec, request: Request) -> bytes:
        data, limits, facts = request.data, self._limits, request.facts
        picture = render(data, spec, limits, watermarks=self._watermarks, facts=facts)
        return envelope.packed(picture) if facts else picture


def classic(array: Mapping[bytes | int, php.Value]) -> tuple[Spec, bytes]:
    """What the classic payload asks for: x and y are the box, src the picture; dest is who asked's own business."""
    src = array.get(b"src", array.get(b"data"))
    if not isinstance(src, bytes):
        raise BadSpec("the array has no src; put the picture's bytes there")
    if len(src) < 4096 and b"\0" not in src and not src.startswith(b"<"):
        raise BadSpec("src is a path, and no file is read because a client named it; put the picture's bytes there")
    sides = {side: _whole(array.get(key)) for side, key in (("width", b"x"), ("height", b"y"))}
    return Spec(**{side: value for side, value in sides.items() if value is not None}), src


def _whole(value: php.Value) -> Any:
    """A number, also one that PHP has as a text."""
    return int(value) if isinstance(value, bytes) and value.isdigit() and len(value) < 10 else value


def resource_failure(text: str) -> str:
    """How the client is told that a picture's runner died: in words that it reads as `BadImage`."""
    return str_of(BadImage("resource", text))


def ran_short(error: BaseException) -> bool:
    """Whether with more memory it might have gone well."""
    return isinstance(error, MemoryError) or (isinstance(error, BadImage) and error.reason == "resource")


def str_of(error: BaseException) -> str:
    """An error in one line, as it travels in a WORK_EXCEPTION packet: ``TypeName: text``."""
    if isinstance(error, MemoryError):
        error = BadImage("resource", "it needs more memory than a job may have")
    text = " ".join(str(error).split())
    if isinstance(error, BadImage):
        text = f"{error.reason}: {text}"
    return f"{type(error).__name__}: {text}"
