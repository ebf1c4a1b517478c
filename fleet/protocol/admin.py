"""The text protocol's words: reading a command line, and writing each answer as gearadmin expects it.

Rule 1: no I/O. Rule 2: an answer is complete in one value, so that it leaves in one write; gearadmin stops
reading after five milliseconds of silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

END = b".\n"
OK = b"OK\n"  # not OK\r\n as gearmand has it: the python-gearman family takes only this, gearadmin takes both


def words(line: bytes) -> list[bytes]:
    """The words of a command line. The first is the command, which may be in any case; leading blanks make it empty.

    >>> words(b"STATUS"), words(b"cancel job H:a:1"), words(b" status")
    ([b'STATUS'], [b'cancel', b'job', b'H:a:1'], [b''])
    """
    if not line or line[:1].isspace():
        return [b""]
    return line.split()


def printable(name: bytes) -> bytes:
    r"""A name as it may stand in a table: what would break its lines or the reader's terminal becomes ``\xNN``.

    >>> printable(b"resize"), printable(b"a\tb\n")
    (b'resize', b'a\\x09b\\x0a')
    """
    if all(32 <= byte < 127 for byte in name):
        return name
    return b"".join(bytes((c,)) if 32 <= c < 127 or c >= 160 else b"\\x%02x" % c for c in name)


def table(rows: Iterable[Sequence[bytes | int]]) -> bytes:
    """Tab-separated rows and the final dot."""
    return b"".join(b"\t".join(b"%d" % c if isinstance(c, int) else c for c in row) + b"\n" for row in rows) + END


def ok(text: str = "") -> bytes:
    return f"OK {text}\n".encode() if text else OK


def err(code: str, text: str = "") -> bytes:
    """An error line; blanks in `text` travel as ``+``, as in gearmand."""
    return (f"ERR {code} {text.replace(' ', '+')}".rstrip() + "\r\n").encode("utf-8", "replace")


def unknown_command(word: bytes) -> bytes:
    return err("UNKNOWN_COMMAND", f"Unknown server command{_word(word)}")


def incomplete(word: bytes) -> bytes:
    return err("INVALID_ARGUMENTS", f"An incomplete set of arguments was sent to this command {_word(word)}")


def _word(word: bytes) -> str:
    return printable(word[:64]).decode("latin-1")
