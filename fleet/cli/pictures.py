"""What `fleet resize` does with many files: read, hand over, wait, write; and one line for each that fails."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleet.cli import put, say
from fleet.cli.files import STDIO, write
from fleet.errors import FleetError, UsageError
from fleet.images import Picture, Spec

MAGIC: Final = frozenset("*?[")
IN_FLIGHT: Final = 16  # pictures handed to the fleet and not yet back: enough for a pool, little enough to hold
PARTIAL: Final = 6
FORMATS: Final = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp", ".avif": "avif", ".gif": "gif"}
SUFFIXES: Final = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif", "gif": ".gif"}

Waiter = Callable[[], Picture]
Maker = Callable[[bytes], Waiter]  # hands a picture over; the waiter it returns gives the result


@dataclass(frozen=True, slots=True)
class Job:
    source: str
    target: str  # a file, or -
    suffix: bool = False  # the target gets the suffix of the result's format, unknown until then


class Destination:
    """Where results go: one named file, or a directory."""

    def __init__(self, output: str | None, directory: Path | None, json: bool = False) -> None:
        if json and output == STDIO:
            raise UsageError("-o - and --json would both write to stdout; use -o FILE")
        if (output is None) == (directory is None):
            raise UsageError("say where the result goes: -o FILE for one picture, or -d DIR for many")
        if output is not None and os.path.isdir(output):
            raise UsageError(f"{output} is a directory; use -d {output}, or name a file in it")
        self.output = output
        self.directory = directory

    def spec(self, size: str, options: Mapping[str, Any]) -> Spec:
        """What is wanted; the output's name says the format if nothing else does."""
        width, height = Spec.parse_size(size)
        format = options.get("format")
        if format is None and self.output not in (None, STDIO):
            format = self._format_of(Path(str(self.output)))
        return Spec.from_mapping({"width": width, "height": height, **options, "format": format})

    @staticmethod
    def _format_of(path: Path) -> str | None:
        if not path.suffix:
            return None
        if path.suffix.lower() not in FORMATS:
            raise UsageError(f"{path}: no format is written as {path.suffix}; use {', '.join(FORMATS)}, or --format")
        return FORMATS[path.suffix.lower()]

    def jobs(self, files: Sequence[str], skip_existing: bool = False) -> Iterator[Job]:
        """Each source with its target; a pattern is all the files that it fits.

        Raises:
            UsageError: two results would have one name, or there is one output for several pictures.
        """
        files = [file for pattern in files for file in _expanded(pattern)]
        if self.output is not None:
            if len(files) > 1:
                raise UsageError(f"-o names one file and there are {len(files)} pictures; use -d DIR")
            if not (skip_existing and Path(self.output).is_file()):
                yield Job(files[0], self.output)
            return
        assert self.directory is not None
        make_directory(self.directory)
        taken: dict[str, str] = {}
        for source in files:
            stem = "stdin" if source == STDIO else Path(source).stem
            if stem in taken:
                raise UsageError(f"{taken[stem]} and {source} would both become {stem}; resize them one by one")
            taken[stem] = source
            target = self.directory / stem
            if not (skip_existing and any(Path(f"{target}{suffix}").is_file() for suffix in FORMATS)):
                yield Job(source, str(target), suffix=True)


def make_directory(directory: Path) -> None:
    """With those above it. Raises UsageError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the directory {directory}: {(error.strerror or '').lower()}") from error


def _expanded(pattern: str) -> list[str]:
    """The files of a pattern that the shell left as it is; anything else is a name."""
    if pattern == STDIO or os.path.exists(pattern):  # unlike Path's, for any name
        return [pattern]
    if not MAGIC & set(pattern):
        return [pattern]
    from glob import glob

    return sorted(glob(pattern)) or [pattern]


def process(jobs: Sequence[Job], make: Maker, command: str, json: bool = False) -> int:
    """Do all jobs, some at a time; return the exit code. `json`: print the facts of each."""
    codes: list[int] = []
    with _progress(len(jobs)) as advance:
        waiting: deque[tuple[Job, Waiter]] = deque()
        for job in jobs:
            if len(waiting) >= IN_FLIGHT:
                codes.append(_finish(*waiting.popleft(), command, json))
                advance()
            try:
                waiting.append((job, make(read(job.source))))
            except FleetError as error:
                codes.append(failed(command, job.source, error))
                advance()
        while waiting:
            codes.append(_finish(*waiting.popleft(), command, json))
            advance()
    bad = [code for code in codes if code]
    if not bad:
        return 0
    return bad[0] if len(bad) == len(codes) else PARTIAL


def _finish(job: Job, waiter: Waiter, command: str, json: bool) -> int:
    try:
        picture = waiter()
        target = Path(job.target + SUFFIXES[picture.format] if job.suffix else job.target)
        write(target, picture)
    except FleetError as error:
        return failed(command, job.source, error)
    if json:
        put_facts(job.source, target, picture)
    return 0


def failed(command: str, source: str, error: FleetError) -> int:
    """Say what went wrong with which picture; returns the exit code."""
    name = "stdin" if source == STDIO else source
    text = str(error)
    say(f"fleet {command}: {text}" if name in text else f"fleet {command}: {name}: {text}")
    return error.exit_code


def put_facts(source: str, target: Path, picture: Picture, **more: str) -> None:
    """One line of JSON: the files, and what is known of the result."""
    from json import dumps

    facts = picture.facts.to_mapping() if picture.facts else {}
    put(dumps({"source": source, "target": str(target), **more, **facts}))


def read(source: str) -> bytes:
    if source == STDIO:
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {source}: {(error.strerror or str(error)).lower()}") from error


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, for a person who waits for several pictures."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("resizing", total=total)
        yield lambda: progress.advance(bar)
