"""Whose fault an error of a decoder is, in words that help; shared by the engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fleet.errors import BadImage
from fleet.images.sniff import Header


@contextmanager
def blamed(header: Header, *bombs: type[Exception]) -> Iterator[None]:
    """What a library raises for a bad picture leaves as `BadImage`, and nothing else does.

    `bombs` are what it raises for a picture that is too large for it.
    """
    try:
        yield
    except BadImage:
        raise
    except bombs as error:
        raise BadImage("too-large", f"the picture is too large to be decoded ({_shape(header)})") from error
    except MemoryError as error:
        raise BadImage("resource", f"the picture needs more memory than it may have ({_shape(header)})") from error
    except Exception as error:  # a decoder fed with garbage raises what it likes
        raise BadImage("corrupt", _explained(error, header)) from error


def _shape(header: Header) -> str:
    return f"{header.format.upper()}, {header.width}x{header.height} pixels"


def _explained(error: Exception, header: Header) -> str:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    if "truncated" in text or isinstance(error, EOFError):
        return f"the {header.format.upper()}'s data ends before the picture does; send the whole file"
    return f"the {header.format.upper()} cannot be decoded: {text}"
