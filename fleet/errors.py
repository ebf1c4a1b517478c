"""Every error a user of fleet can meet, in one tree, split by whose fault it is.

Rule 1: an error's text says what is wrong and what to do about it. The docstring is the text when nothing
better is known. Rule 2: operating system errors are translated into these once, at the edge where the I/O is
done; nothing above that edge sees an ``OSError``. Rule 3: every class names the exit code of the commands.
"""

from __future__ import annotations

from typing import ClassVar, Final


class FleetError(Exception):
    """Something in fleet failed."""

    exit_code: ClassVar[int] = 1

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or (self.__doc__ or "").strip())

    @property
    def explained(self) -> bool:
        """Somebody said what happened; otherwise the text is the class's own."""
        return str(self) != (self.__doc__ or "").strip()


class UsageError(FleetError):
    """The call or the command line makes no sense as it was given."""

    exit_code = 2


class BadSpec(UsageError):
    """The picture options make no sense; see `fleet resize --help` for what they may be."""


class NoServer(FleetError):
    """No job server answered. Check its address, and that `fleet up` or `fleet server` runs there."""

    exit_code = 3


class Deadline(FleetError):
    """The answer did not come in time. Give it longer (timeout), or start more workers."""

    exit_code = 4


class JobFailed(FleetError):
    """The worker gave the job up without saying why."""

    exit_code = 1


class TooMuchUnread(FleetError):
    """A worker sent more data and warnings than the client keeps before they are read."""


class BadImage(JobFailed):
    """The picture cannot be processed.

    `reason` is one of ``unsupported`` (not a picture we open), ``too-large`` (over a limit; nothing was decoded),
    ``corrupt`` (broken or cut off), ``resource`` (the decoder ran out of time or memory, or crashed).
    """

    exit_code = 5
    FINAL: ClassVar[tuple[str, ...]] = ("unsupported", "too-large", "corrupt")  # the same at every try
    REASONS: ClassVar[tuple[str, ...]] = (*FINAL, "resource")

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason

    def __reduce__(self) -> tuple[type[BadImage], tuple[str, str]]:
        return type(self), (self.reason, str(self))


# How an error begins on the wire that no second try would mend: it is the input's, not the worker's.
HOPELESS: Final = (f"{BadSpec.__name__}: ", *(f"{BadImage.__name__}: {reason}: " for reason in BadImage.FINAL))


class JobDead(JobFailed):
    """The job failed at every attempt, and is in the dead letter; see `fleet dead`."""


class JobCancelled(FleetError):
    """The job was cancelled before it was done."""


class JobTooLate(FleetError):
    """The job was not done while it was still wanted (ttl)."""


class NoSuchJob(FleetError):
    """There never was such a job at these servers."""

    exit_code = 7


class ResultGone(FleetError):
    """The job has ended, and what came of it is not kept any more; see --keep of the job server."""

    exit_code = 8


class ServerRefused(FleetError):
    """The job server answered with an ERROR packet; `code` is its code, as libgearman names them."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"the job server refused: {text} ({code})")
        self.code = code
        self.reason = text


class QueueFull(ServerRefused):
    """The job server's queue is full; try again later."""

    exit_code = 75


class NoStore(ServerRefused):
    """The job server keeps no background jobs; start it with --store."""

    exit_code = 78


class ProtocolError(FleetError):
    """The peer broke the protocol; the connection is over."""
