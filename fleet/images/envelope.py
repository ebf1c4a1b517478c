"""A picture on the wire: its bytes, or one line of JSON options, a newline, and its bytes.

No picture format begins with ``{``, so the two are told apart by the first byte, and any language sends either in
one line of code.
"""

from __future__ import annotations

import json
from typing import Final

from fleet.errors import BadSpec
from fleet.images.sniff import Buffer
from fleet.images.spec import Spec

LINE_BYTES: Final = 64 * 1024  # of options; no honest line is longer than a few hundred


def prefix(spec: Spec) -> bytes:
    """What stands before the picture's bytes; nothing for the defaults."""
    options = spec.to_mapping()
    return json.dumps(options, separators=(",", ":")).encode() + b"\n" if options else b""


def unpack(workload: Buffer) -> tuple[Spec, memoryview]:
    """The spec and the picture's bytes, which are not copied.

    Raises:
        BadSpec: the first line is no JSON object, or its options make no sense.
    """
    view = memoryview(workload)
    if bytes(view[:1]) != b"{":
        return Spec(), view
    line, newline, _ = bytes(view[:LINE_BYTES]).partition(b"\n")
    if not newline:
        raise BadSpec("the options are not followed by a newline and a picture")
    try:
        options = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadSpec(f"the options are no JSON: {error}") from error
    return Spec.from_mapping(options), view[len(line) + 1 :]
