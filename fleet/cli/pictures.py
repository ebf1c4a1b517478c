"""What `fleet resize` and `fleet thumbnails` do with files: read, hand over, wait, write; a line for each failure."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleet.cli import put, say
from fleet.cli.files import STDIO, read, write
from fleet.errors import FleetError, UsageError
from fleet.images import Picture, Spec

MAGIC: Final = frozenset("*?[")
IN_FLIGHT: Final = 16  # pictures handed to the fleet and not yet back: enough for a pool, little enough to hold
PARTIAL: Final = 6
FORMATS: Final = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp", ".avif": "avif", ".gif": "gif"}
SUFFIXES: Final = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif", "gif": ".gif"}

Results = Iterable[tuple[str, Picture]]  # each with its name among several; "" if it is the only one
Maker = Callable[[bytes], Callable[[], Results]]  # hands a picture over; what it returns waits for the results
ONLY: Final = ("",)


@dataclass(frozen=True, slots=True)
class Job:
    source: str
    target: str  # a file, or -
    suffix: bool = False  # the target gets the suffix of the result's format, unknown until then

    def place(self, name: str, suffix: str) -> Path:
        """Where a result goes."""
        stem = f"{self.target}-{name}" if name else self.target
        return Path(stem + suffix if self.suffix else stem)

    def is_done(self, names: Iterable[str]) -> bool:
        """Whether all results are there, in whatever format."""
        suffixes = FORMATS if self.suffix else ONLY
        return all(any(os.path.isfile(self.place(name, suffix)) for suffix in suffixes) for name in names)


class Destination:
    """Where results go: one named file, or a directory."""

    def __init__(self, output: str | None, directory: Path | None, json: bool = False) -> None:
        if json and output == STDIO:
            raise UsageError("-o - and --json would both write to stdout; use -o FILE")
        if (output is None) == (directory is None):
            raise UsageError("say where the result goes: -o FILE for one picture, or -d DIR for many")
        if output is not None and (os.path.isdir(output) or output.endswith("/")):
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

    def jobs(self, files: Iterable[str], skip_existing: bool = False, names: Iterable[str] = ONLY) -> list[Job]:
        """Each source with its target; a pattern is all the files that it fits.

        Raises:
            UsageError: two results would have one name, or there is one output for several pictures.
        """
        found = list(self._jobs([file for pattern in files for file in expanded(pattern)]))
        return [job for job in found if not (skip_existing and job.is_done(names))]

    def _jobs(self, files: Sequence[str]) -> Iterator[Job]:
        if self.output is not None:
            if len(files) > 1:
                raise UsageError(f"-o names one file and there are {len(files)} pictures; use -d DIR")
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
            yield Job(source, str(self.directory / stem), suffix=True)


def make_directory(directory: Path) -> None:
    """With those above it. Raises UsageError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the directory {directory}: {(error.strerror or '').lower()}") from error


def expanded(pattern: str) -> list[str]:
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
    with _progress(command, len(jobs)) as advance:
        waiting: deque[tuple[Job, Callable[[], Results]]] = deque()
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


def _finish(job: Job, results: Callable[[], Results], command: str, json: bool) -> int:
    try:
        for name, picture in results():
            target = job.place(name, SUFFIXES[picture.format])
            write(target, picture)
            if picture.facts and not picture.facts.complete:
                say(
                    f"fleet {command}: {_called(job.source)}: it is broken, and {target} is what could be decoded of it"
                )
            if json:
                _put_facts(job.source, target, name, picture)
    except FleetError as error:
        return failed(command, job.source, error)
    return 0


def _called(source: str) -> str:
    return "stdin" if source == STDIO else source


def failed(command: str, source: str, error: FleetError) -> int:
    """Say what went wrong with which picture; returns the exit code."""
    name, text = _called(source), str(error)
    say(f"fleet {command}: {text}" if name in text else f"fleet {command}: {name}: {text}")
    return error.exit_code


def _put_facts(source: str, target: Path, name: str, picture: Picture) -> None:
    """One line of JSON: the files, and what is known of the result."""
    from json import dumps

    files = {"source": source, "target": str(target), **({"name": name} if name else {})}
    put(dumps(files | (picture.facts.to_mapping() if picture.facts else {})))


@contextmanager
def _progress(command: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, for a person who waits for several pictures."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(command, total=total)
        yield lambda: progress.advance(bar)
