"""From a picture's bytes and a spec to a finished picture: look, refuse, open, plan, load, finish, encode.

Importing this loads no image library: the modules that need one are imported when the first picture comes.
"""

from __future__ import annotations

from fleet.errors import BadImage
from fleet.images.geometry import plan
from fleet.images.limits import Limits, check, check_result
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
    from fleet.images.encode import encode
    from fleet.images.engines import Reduction
    from fleet.images.engines.router import engine_for
    from fleet.images.finish import finish

    spec, limits = spec or Spec(), limits or Limits()
    header = sniff(data)
    check(header, len(data), limits)
    try:
        with engine_for(header).open(data, header, limits) as source:
            planned = plan(source.size, spec.width, spec.height, spec.fit, spec.enlarge)
            check_result(planned.canvas, limits)
            loaded = source.load(Reduction(planned.crop, planned.scaled))
            image = finish(loaded.frames[0].image, spec, planned)
            return Picture(encode(image, spec, header.format))
    except MemoryError as error:
        raise BadImage("resource", "the picture needs more memory than it may have") from error


def warm_up() -> None:
    """Load every decoder and encoder, so that a process forked from this one finds all of it in memory."""
    from fleet.images import encode
    from fleet.images.engines import router

    router.warm_up()
    for data in encode.samples():
        render(data, Spec(8, 8, "contain"))
