"""The functions a job server knows, by name. They come with the first worker, job or text command that names them.

Names are kept, so that `status` shows a function that lost its workers, until there are too many.
"""

from __future__ import annotations

from typing import Final

from fleet.jobserver.job import Function
from fleet.jobserver.refusal import Refusal
from fleet.protocol import kept
from fleet.settings import ServerLimits

RESERVED: Final = frozenset(name.encode() for name in kept.FUNCTIONS)


class Functions(dict[bytes, Function]):
    """Functions by name."""

    def __init__(self, limits: ServerLimits) -> None:
        super().__init__()
        self._limits = limits

    def named(self, name: bytes) -> Function:
        """The function of this name, new if need be.

        Raises:
            Refusal: the name is too long, empty or the server's own, has a NUL, or there are too many functions.
        """
        return self.get(name) or self._create(name)

    def kept(self, name: bytes) -> Function:
        """The function of a job that the store has: it was taken once, and nobody is there to be told anything else."""
        return self.get(name) or self._new(name)

    def drop(self, name: bytes) -> bool:
        """Forget a function. False: there is none of this name. Raises Refusal while it has workers or jobs."""
        function = self.get(name)
        if function is None:
            return False
        if function.workers or function.jobs:
            raise Refusal(b"FUNCTION_BUSY", b"there are still connected workers or executing clients")
        del self[name]
        return True

    def _create(self, name: bytes) -> Function:
        if not 0 < len(name) <= self._limits.function_bytes:
            text = b"A function name has 1 to %d bytes" % self._limits.function_bytes
            raise Refusal(b"ARGUMENT_TOO_LARGE" if name else b"INVALID_ARGUMENT", text)
        if b"\0" in name:  # in a packet it would end there
            raise Refusal(b"INVALID_ARGUMENT", b"A function name has no NUL in it")
        if name in RESERVED:
            text = b"%s is answered by the job server itself, if it has a store: start it with --store" % name
            raise Refusal(kept.NO_STORE.encode(), text)
        if len(self) >= self._limits.functions:
            self._drop_idle()
        return self._new(name)

    def _new(self, name: bytes) -> Function:
        function = self[name] = Function(name)
        return function

    def _drop_idle(self) -> None:
        for name, function in list(self.items()):
            if not (function.workers or function.jobs):
                del self[name]
        if len(self) >= self._limits.functions:
            raise Refusal(b"TOO_MANY_FUNCTIONS", b"The job server has %d functions" % len(self))
