"""What to tell mypyc of a class or number, for `make compiled`. Without mypyc's own small library it means nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from mypy_extensions import i32, mypyc_attr
except ImportError:
    i32 = int  # type: ignore[misc]

    def mypyc_attr(*attrs: str, **kwattrs: object) -> Callable[[Any], Any]:  # type: ignore[misc]
        return lambda cls: cls


__all__ = ["i32", "mypyc_attr"]
