"""How a request is turned down."""

from __future__ import annotations


class Refusal(Exception):
    """A request that cannot be met; the peer is told `code` and `text` and its connection lives on."""

    def __init__(self, code: bytes, text: bytes) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
