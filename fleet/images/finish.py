"""What is done to the few pixels that an engine gave, in this order. Each step begins with "nothing to do"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PIL import Image

from fleet.images.colour import flattened
from fleet.images.geometry import Plan
from fleet.images.spec import Spec

Step = Callable[[Image.Image, Spec, Plan], Image.Image]


def pad(image: Image.Image, spec: Spec, plan: Plan) -> Image.Image:
    """`contain` lays the picture on its background, which shows around it and through it."""
    if spec.fit != "contain":
        return image
    image = flattened(image, spec.background)
    if plan.canvas == image.size:
        return image
    padded = Image.new("RGB", plan.canvas, spec.background)
    padded.paste(image, plan.offset)
    return padded


STEPS: Final[tuple[Step, ...]] = (pad,)


def finish(image: Image.Image, spec: Spec, plan: Plan) -> Image.Image:
    """The picture as it is to be encoded."""
    for step in STEPS:
        image = step(image, spec, plan)
    return image
