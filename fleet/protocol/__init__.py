"""Gearman on the wire, with no I/O: the packet table, `encode`, `Decoder`, and the text protocol's words (`admin`)."""

from fleet.protocol.decoder import Decoder
from fleet.protocol.packets import (
    ARITY,
    HEADER_BYTES,
    NAMES,
    REQ,
    RES,
    SHAPES,
    TEXT,
    Data,
    Packet,
    Shape,
    encode,
    encode_head,
    split_body,
)
from fleet.protocol.payload import payload

__all__ = [
    "ARITY",
    "Data",
    "Decoder",
    "HEADER_BYTES",
    "NAMES",
    "Packet",
    "REQ",
    "RES",
    "SHAPES",
    "Shape",
    "TEXT",
    "encode",
    "encode_head",
    "payload",
    "split_body",
]
