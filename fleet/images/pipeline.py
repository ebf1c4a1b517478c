"""From a picture's bytes and a spec to a finished picture: look, refuse, plan, and only then let a decoder run."""

from __future__ import annotations

from fleet.images.limits import Limits, check
from fleet.images.picture import Picture
from fleet.images.sniff import Buffer, sniff
from fleet.images.spec import Spec


def render(data: Buffer, spec: Spec | None = None, limits: Limits | None = None) -> Picture:
    """Make the picture that `spec` asks for: upright, in sRGB, without metadata.

    Args:
        data: a JPEG, PNG, WebP, GIF or AVIF; of a moving one, the first frame.
        spec: what is wanted; None is 200x150, inside.
        limits: what is refused.

    Raises:
        BadImage: its `reason` is ``unsupported``, ``too-large``, ``corrupt`` or ``resource``.
    """
    spec, limits = spec or Spec(), limits or Limits()
    header = sniff(data)
    check(header, len(data), limits)
    from fleet.images.engines import pillow

    return Picture(pillow.make(data, header, spec, limits))
