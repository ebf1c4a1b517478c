"""What the pool does: its functions by name. Each gets a workload and returns the result, or yields its parts, in a
runner of its own.

Rule: this is the only file of the workers that knows of pictures.
"""

from __future__ import annotations

from typing import Final

from fleet.errors import BadImage
from fleet.images import Limits, envelope, pipeline, render

# By name, as "module:callable": a zygote imports them, and no one else.
BUILT_IN: Final = {"resize": "fleet.workers.functions:resize", "thumbnail": "fleet.workers.functions:resize"}

LIMITS: Final = Limits()


def resize(workload: memoryview) -> bytes:
    """A picture made smaller: 200x150, inside; or as the line of options before it says, see `fleet.images.envelope`.

    Raises:
        BadSpec, BadImage: see `fleet.images`.
    """
    spec, data = envelope.unpack(workload)
    return render(data, spec, LIMITS)


def warm_up() -> None:
    """Load what `resize` needs, for the runners to inherit."""
    pipeline.warm_up()


def resource_failure(text: str) -> str:
    """How the client is told that a picture's runner died: in words that it reads as `BadImage`."""
    return str_of(BadImage("resource", text))


def str_of(error: BaseException) -> str:
    """An error in one line, as it travels in a WORK_EXCEPTION packet: ``TypeName: text``."""
    text = " ".join(str(error).split())
    if isinstance(error, BadImage):
        text = f"{error.reason}: {text}"
    return f"{type(error).__name__}: {text}"
