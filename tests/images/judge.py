"""What comes of pictures in processes that are locked in and limited as the pool's runners are: for those that may
crash their decoder, hang it, or fill the memory.

A `Judge` has one process with the libraries loaded, which forks others: each for one picture, or for several where only
the crashes are of interest.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, Final

from fleet.errors import BadImage
from fleet.images import Limits, Spec, render
from fleet.images.pipeline import warm_up
from fleet.images.sniff import OPENED
from fleet.linux import address_space
from fleet.settings import MIB, Containment, PoolLimits
from fleet.workers import runner
from fleet.workers.sandbox import Sandbox
from tests.processes import ROOT

VERDICTS: Final = frozenset({"ok", *BadImage.REASONS})
LIMITS: Final = PoolLimits(memory_bytes=512 * MIB)


@dataclass(frozen=True)
class Source:
    """What is to be judged."""

    data: bytes
    options: Mapping[str, Any] = field(default_factory=lambda: {"width": 32, "height": 24, "format": "png"})
    formats: frozenset[str] = frozenset()  # that are opened beside the usual ones


@dataclass(frozen=True)
class Verdict:
    """`word` is ``ok``, a reason of `BadImage`, ``crashed``, ``hung``, or the name of an error there should not be."""

    word: str
    text: str = ""
    data: bytes = b""  # of the result
    facts: Mapping[str, Any] = field(default_factory=dict)
    plugins: frozenset[str] = frozenset()  # of Pillow's, loaded
    # Of the process, together with the others that it judged: processor time, and memory at its height.
    cpu_s: float = 0.0
    memory_bytes: int = 0


class Judge:
    """The process, from here; ended by `close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )

    def verdicts(self, sources: Sequence[Source], deadline_s: float = 20.0, together: int = 1) -> list[Verdict]:
        """One for each; so many of them are judged in one process, as long as it lives."""
        assert self._process.stdin
        assert self._process.stdout
        pickle.dump((sources, deadline_s, together), self._process.stdin)
        self._process.stdin.flush()
        found: list[Verdict] = pickle.load(self._process.stdout)
        return found

    def close(self) -> None:
        self._process.communicate(timeout=30)


# -- The process with the libraries ---------------------------------------------------------------------------------


def main() -> None:
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    warm_up()
    gc.freeze()
    contained = Containment(isolation="job")
    terms = runner.terms(LIMITS, contained, Sandbox(contained), address_space())
    while True:
        try:
            sources, deadline_s, together = pickle.load(questions)
        except EOFError:
            return
        found: list[Verdict] = []
        for at in range(0, len(sources), together):
            found += judged_together(sources[at : at + together], deadline_s, terms)
        pickle.dump(found, answers)
        answers.flush()


def judged_together(sources: Sequence[Source], deadline_s: float, terms: runner.Terms) -> list[Verdict]:
    """In one process, or in several if some do not live through it."""
    found: list[Verdict] = []
    while len(found) < len(sources):
        found += _judged_by_one(sources[len(found) :], deadline_s, terms)
    return found


def _judged_by_one(sources: Sequence[Source], deadline_s: float, terms: runner.Terms) -> list[Verdict]:
    """Of as many as one process lives through; the last one may have ended it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_the_process(sources, writing, terms)
    os.close(writing)
    with open(reading, "rb", buffering=0) as pipe:
        found = list(_told(pipe, len(sources), deadline_s))
    if len(found) < len(sources):
        os.kill(pid, signal.SIGKILL)  # if it hangs; one that has crashed does not mind
    _, status, usage = os.wait4(pid, 0)
    if len(found) < len(sources):
        code = os.waitstatus_to_exitcode(status)
        hung = code == -signal.SIGKILL
        found.append(Verdict("hung" if hung else "crashed", f"{deadline_s:g} s" if hung else f"exit code {code}"))
    cpu_s = usage.ru_utime + usage.ru_stime
    return [replace(verdict, cpu_s=cpu_s, memory_bytes=usage.ru_maxrss * 1024) for verdict in found]


def _told(pipe: IO[bytes], most: int, deadline_s: float) -> Iterator[Verdict]:
    """What the process tells, until it ends or one takes longer than `deadline_s`."""
    held = b""
    for _ in range(most):
        end = time.monotonic() + deadline_s
        while len(held) < 4 or len(held) < 4 + struct.unpack_from(">I", held)[0]:
            if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                return
            more = pipe.read(1 << 20)
            if not more:
                return
            held += more
        size = struct.unpack_from(">I", held)[0]
        yield pickle.loads(held[4 : 4 + size])
        held = held[4 + size :]


# -- The process of a picture ---------------------------------------------------------------------------------------


def _be_the_process(sources: Sequence[Source], writing: int, terms: runner.Terms) -> None:
    code = 1
    try:
        runner._become_a_runner((os.open("/dev/null", os.O_RDONLY), writing), LIMITS.memory_bytes, terms)
        for source in sources:
            told = pickle.dumps(_judged(source))
            runner._write(struct.pack(">I", len(told)), told)
        code = 0
    finally:
        os._exit(code)


def _judged(source: Source) -> Verdict:
    limits = Limits(formats=OPENED | source.formats)
    plugins = frozenset(name for name in sys.modules if name.startswith("PIL.") and name.endswith("Plugin"))
    try:
        made = render(source.data, Spec.from_mapping(source.options), limits)
    except BadImage as error:
        return Verdict(error.reason, str(error), plugins=plugins)
    except MemoryError:
        return Verdict("resource", "it needs more memory than a job may have", plugins=plugins)
    except BaseException as error:
        return Verdict(type(error).__name__, str(error), plugins=plugins)
    assert made.facts
    return Verdict("ok", data=made.data, facts=made.facts.to_mapping(), plugins=plugins)
