"""Pictures, no jobs: bytes and a `Spec` in, bytes and facts out.

    >>> from fleet.images import Spec, render
    >>> thumb = render(open("large.jpg", "rb").read(), Spec(200, 150))     # doctest: +SKIP

Importing this loads no image library; `render` does, when it is first called.
"""

from fleet.images import envelope
from fleet.images.facts import Facts
from fleet.images.limits import Limits
from fleet.images.picture import Picture
from fleet.images.pipeline import render, render_many
from fleet.images.sniff import CONTENT_TYPES, Header, sniff
from fleet.images.spec import Spec

__all__ = [
    "CONTENT_TYPES",
    "Facts",
    "Header",
    "Limits",
    "Picture",
    "Spec",
    "envelope",
    "render",
    "render_many",
    "sniff",
]
