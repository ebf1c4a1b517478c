"""The kinds of value an option of a `Spec` may have: how each is checked, read from a command line, and described.

Rule 1: a value is checked here and nowhere else, and comes out in its one form. Rule 2: an error is one short line,
whatever the value was. Rule 3: the schema, the documentation and the command line are made of what stands here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Final, Protocol

from fleet.errors import BadSpec


class Kind(Protocol):
    """What all kinds have in common."""

    @property
    def metavar(self) -> str:
        """What stands for a value in a help text."""

    def check(self, name: str, value: Any) -> Any:
        """The value in its one form. Raises BadSpec."""

    def read(self, text: str) -> Any:
        """A value from a command line or the environment, unchecked."""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema says it."""


@dataclass(frozen=True)
class Option:
    """What is known of one field of a `Spec`, beside its name and default."""

    kind: Kind
    help: str
    group: str
    none: bool  # it may be null, too

    def check(self, name: str, value: Any) -> Any:
        return None if value is None and self.none else self.kind.check(name, value)


def option(default: Any, kind: Kind, help: str, group: str, *, none: bool = False) -> Any:
    """A dataclass field that is an option; one whose default is None may be None."""
    return field(default=default, metadata={"option": Option(kind, help, group, none or default is None)})


def option_of(field: Field[Any]) -> Option:
    found: Option = field.metadata["option"]
    return found


def schema(title: str, owner: type) -> dict[str, Any]:
    """The JSON schema of a dataclass that is made of options, each of which may be left out."""
    usual = owner()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": False,
        "properties": {f.name: _property(option_of(f), getattr(usual, f.name)) for f in fields(owner)},
    }


def _property(option: Option, default: Any) -> dict[str, Any]:
    found = option.kind.schema()
    if option.none:
        found = {"anyOf": [found, {"type": "null"}]}
    return {"description": option.help, **found, "default": default}


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    least: int
    most: int
    metavar: ClassVar[str] = "N"

    def check(self, name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise BadSpec(
                f"{name}={shown(value)} makes no sense; it is a whole number from {self.least} to {self.most}"
            )
        return value

    def read(self, text: str) -> Any:
        return number(text)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Number:
    """Any number; it comes out as a float."""

    least: float
    most: float
    metavar: ClassVar[str] = "X"

    def check(self, name: str, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise BadSpec(f"{name}={shown(value)} makes no sense; it is a number from {self.least:g} to {self.most:g}")
        return float(value)

    def read(self, text: str) -> Any:
        return number(text)

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Word:
    """One of some words; `also` has other spellings of some of them."""

    words: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()
    metavar: ClassVar[str] = "WORD"

    def check(self, name: str, value: Any) -> str:
        for other, word in self.also:
            if value == other:
                return word
        if value not in self.words:
            hint = did_you_mean(str(value)[:40], self.words)
            raise BadSpec(f"{name}={bare(value)} makes no sense{hint}; it is one of {', '.join(self.words)}")
        return str(value)

    def read(self, text: str) -> str:
        return text

    def schema(self) -> dict[str, Any]:
        return {"enum": [*self.words, *(other for other, _ in self.also)]}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    metavar: ClassVar[str] = ""

    def check(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise BadSpec(f"{name}={shown(value)} is neither true nor false")
        return value

    def read(self, text: str) -> bool | str:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text:
    """A text of one form. `what` ends the sentence "... is "."""

    pattern: str
    what: str
    metavar: str = "TEXT"

    def check(self, name: str, value: Any) -> str:
        if not (isinstance(value, str) and re.fullmatch(self.pattern, value)):
            raise BadSpec(f"{name}={shown(value)} is {self.what}")
        return value

    def read(self, text: str) -> str:
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True)
class Numbers:
    """Several numbers, by name, each of the kind that stands beside it; a tuple."""

    parts: tuple[tuple[str, Whole | Number], ...]

    @property
    def metavar(self) -> str:
        return ",".join(name.upper() for name, _ in self.parts)

    def check(self, name: str, value: Any) -> tuple[float, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != len(self.parts):
            wanted = ", ".join(part for part, _ in self.parts)
            raise BadSpec(f"{name}={shown(value)} makes no sense; it is {len(self.parts)} numbers: {wanted}")
        return tuple(kind.check(f"{name} {part}", item) for (part, kind), item in zip(self.parts, value, strict=True))

    def read(self, text: str) -> list[float | str]:
        return [number(part.strip()) for part in text.split(",")]

    def schema(self) -> dict[str, Any]:
        items = [kind.schema() for _, kind in self.parts]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def number(text: str) -> Any:
    """The number that a text is, or the text itself, for the check to refuse."""
    if not re.fullmatch(r"[+-]?\d{1,15}(\.\d{0,15})?", text, re.ASCII):
        return text
    return json.loads(text.lstrip("+")) if re.fullmatch(r"[+-]?(0|[1-9]\d*)", text) else float(text)


QUOTES: Final = "'\""


def shown(value: object) -> str:
    """A value in an error's text: one short line, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to write out thousands of digits
        return "(a number of hundreds of digits)" if value > 0 else "(a negative number of hundreds of digits)"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def bare(value: object) -> str:
    """As `shown`, without the quotes."""
    return shown(value).strip(QUOTES)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`` (did you mean ...?)`` if one of the words is near."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(words), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
