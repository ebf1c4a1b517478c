"""Pictures, no jobs: bytes and a `Spec` in, bytes and facts out.

    >>> from fleet.images import Spec, render
    >>> thumb = render(open("large.jpg", "rb").read(), Spec(200, 150))     # doctest: +SKIP

What makes pictures is loaded when it is first used: a command that only sends them does without. No image library is
loaded before `render` is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fleet.images import envelope
from fleet.images.facts import Facts
from fleet.images.picture import Picture
from fleet.images.sniff import CONTENT_TYPES, Header, sniff
from fleet.images.spec import Spec

if TYPE_CHECKING:
    from fleet.images.limits import Limits as Limits
    from fleet.images.pipeline import render as render
    from fleet.images.pipeline import render_many as render_many

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

_HOMES = {"Limits": "limits", "render": "pipeline", "render_many": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fleet.images' has no attribute {name!r}")
    return getattr(import_module(f"fleet.images.{_HOMES[name]}"), name)
