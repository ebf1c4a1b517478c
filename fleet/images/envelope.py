"""Pictures on the wire: a picture's bytes, or one line of JSON, a newline, and its bytes.

    a request    {"width":64,"height":64,"fit":"cover"}\\n<bytes>            the options of a `Spec`
                 {"facts":true}\\n<bytes>                                    and of the answer: a line of facts first
                 {"sizes":{"avatar":{"width":64},"card":"card"}}\\n<bytes>   several: options, or a preset's name
    a result     <bytes>, or {"format":"jpeg","width":64,...}\\n<bytes>
    a part       {"name":"avatar","format":"jpeg","width":64,...}\\n<bytes>  one of several
    a manifest   {"thumbnails":{"avatar":{"format":"jpeg",...}}}             when all are done

No picture format begins with ``{``, so the two are told apart by the first byte, and any language sends either in
one line of code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fleet.errors import BadSpec
from fleet.images.facts import Facts
from fleet.images.options import did_you_mean, shown
from fleet.images.picture import Picture
from fleet.images.sniff import Buffer
from fleet.images.spec import Spec

LINE_BYTES: Final = 64 * 1024  # of options; no honest line is longer than a few hundred
MAX_SIZES: Final = 50  # of one upload
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
FACTS: Final = "facts"
SIZES: Final = "sizes"

Presets = Mapping[str, Spec]


class Request(NamedTuple):
    """What a worker is asked for: options of a `Spec`, whether the facts are wanted, and the picture's bytes."""

    options: dict[str, Any]
    facts: bool
    data: memoryview


def prefix(options: Mapping[str, Any], facts: bool = False) -> bytes:
    """What stands before a picture's bytes in a request; nothing for the defaults."""
    line = {**options, FACTS: True} if facts else dict(options)
    return _line(line) if line else b""


def prefix_many(sizes: Mapping[str, Mapping[str, Any] | str]) -> bytes:
    """What stands before a picture's bytes in a request for several sizes."""
    return _line({SIZES: sizes})


def unpack(workload: Buffer) -> Request:
    """The options, unchecked, and the picture's bytes, which are not copied.

    Raises:
        BadSpec: the first line is no JSON object.
    """
    view = memoryview(workload)
    if bytes(view[:1]) != b"{":
        return Request({}, False, view)
    line, newline, _ = bytes(view[:LINE_BYTES]).partition(b"\n")
    if not newline:
        raise BadSpec("the options are not followed by a newline and a picture")
    try:
        options = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadSpec(f"the options are no JSON: {error}") from error
    facts = options.pop(FACTS, False)
    if not isinstance(facts, bool):
        raise BadSpec(f"{FACTS}={shown(facts)} is neither true nor false")
    return Request(options, facts, view[len(line) + 1 :])


def specs_of(options: Mapping[str, Any], presets: Presets) -> dict[str, Spec]:
    """The specs that a request for several sizes has, by name.

    Raises:
        BadSpec: there are none, too many, or one makes no sense; the text names it.
    """
    sizes = options.get(SIZES)
    if list(options) != [SIZES] or not isinstance(sizes, dict) or not 0 < len(sizes) <= MAX_SIZES:
        raise BadSpec(
            f'a request for several sizes is {{"{SIZES}":{{"NAME":OPTIONS,...}}}}, with 1 to {MAX_SIZES} of them'
        )
    return {name: _spec_of(name, wanted, presets) for name, wanted in sizes.items()}


def _spec_of(name: str, wanted: Any, presets: Presets) -> Spec:
    if not NAME.fullmatch(name):
        raise BadSpec(f"{shown(name)} is no name of a size; use 1 to 64 letters, digits, and any of _.@-")
    if isinstance(wanted, str):
        return preset_of(wanted, presets)
    if not isinstance(wanted, dict):
        raise BadSpec(f"{name}: {shown(wanted)} is neither options nor the name of a preset")
    try:
        return Spec.from_mapping(wanted)
    except BadSpec as error:
        raise BadSpec(f"{name}: {error}") from error


def preset_of(name: str, presets: Presets) -> Spec:
    """Raises BadSpec if there is none of that name."""
    if name not in presets:
        hint = did_you_mean(name[:64], presets)
        raise BadSpec(f"there is no preset {shown(name)}{hint}; there are: {', '.join(presets) or 'none'}")
    return presets[name]


def packed(picture: Picture, name: str | None = None) -> bytes:
    """A result with its facts in front; as a part, with its name."""
    assert picture.facts
    line = picture.facts.to_mapping()
    return _line(line if name is None else {"name": name, **line}) + picture


def manifest(facts: Mapping[str, Facts]) -> bytes:
    """The end of several sizes: what was made, in the order in which it was."""
    return _line({"thumbnails": {name: found.to_mapping() for name, found in facts.items()}}).rstrip(b"\n")


def picture_of(result: bytes) -> tuple[str, Picture]:
    """A result or a part, and its name if it has one. Raises ValueError if there is no telling what it is."""
    if result[:1] != b"{":
        return "", Picture(result)
    line, _, data = result.partition(b"\n")
    try:
        found = json.loads(line)
        return str(found.get("name", "")), Picture(data, Facts.from_mapping(found))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the line before the picture lacks {error}") from error


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
