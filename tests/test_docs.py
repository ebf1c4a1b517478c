"""The documents name everything there is: what is not written down does not exist for a user."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.jobserver.text import COMMANDS
from fleet.protocol import SHAPES

DOCS = Path(__file__).parents[1] / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text()
FROM = {"C": "C", "W": "W", "J": "J", "CW": "C, W", "WJ": "W, J"}


@pytest.mark.parametrize("kind", SHAPES, ids=[shape.name for shape in SHAPES.values()])
def test_every_packet_is_in_the_table_with_its_arguments(kind: int) -> None:
    shape = SHAPES[kind]
    assert f"| {kind} | {shape.name} | {FROM[shape.senders]} | {', '.join(shape.args)}".rstrip() in PROTOCOL


@pytest.mark.parametrize("word", sorted(COMMANDS), ids=bytes.decode)
def test_every_text_command_is_described(word: bytes) -> None:
    assert f"`{word.decode()}" in PROTOCOL
