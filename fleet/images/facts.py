"""What is known of a result, beside its bytes; the same on the wire, in the SDK and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from fleet.images.sniff import CONTENT_TYPES


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one finished picture. The source's sides are those of the upright picture."""

    format: str
    width: int
    height: int
    frames: int
    bytes: int
    sha256: str
    dominant_colour: str  # #rrggbb
    thumbhash: str  # base64
    source_format: str
    source_width: int
    source_height: int
    engine: str  # which library decoded the source
    complete: bool  # false: the source is broken, and this is what could be decoded of it

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.format]

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_mapping(cls, found: Mapping[str, Any]) -> Facts:
        """Raises KeyError where one is missing; what is not known here is passed over: a newer pool may say more."""
        return cls(**{field.name: found[field.name] for field in fields(cls)})
