"""What a program does to its own process: a pid file, and detaching from the terminal as a daemon."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fleet.errors import FleetError


@contextmanager
def pid_file(path: str | None) -> Iterator[None]:
    """A file with this process's number while the block runs; None: no file.

    Raises:
        FleetError: it cannot be written.
    """
    if path is None:
        yield
        return
    try:
        with open(path, "w") as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        raise FleetError(f"cannot write the pid file {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        yield
    finally:
        try:
            os.unlink(path)
        except OSError:
            pass  # somebody was quicker, or our rights are gone; the number in it is dead anyway


def detach() -> Callable[[], None]:
    """Go on in a child, in a session of its own; what is returned is to be called once the child is ready.

    Until then the child keeps the terminal's output, for its complaints, and the parent waits: it exits with 0 when
    the child is ready, and with the child's code if that ends before. So a script may connect to a daemon in its next
    line.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        os._exit(0 if os.read(reader, 1) else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    os.close(reader)
    os.setsid()

    def ready() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)
        os.write(writer, b"!")
        os.close(writer)

    return ready
