"""The job servers that are measured side by side: ours, gearmand, and a floor in C. Each is started on a free port."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.measure import FLEET, ROOT, program

SOURCES = Path(__file__).parent / "c"
BUILT = ROOT / "build" / "benchmarks"


class Server(NamedTuple):
    port: int
    pid: int


def built(name: str) -> str:
    """The path of a program of ours in C, compiled if its source is newer."""
    source, target = SOURCES / f"{name}.c", BUILT / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", target, source], check=True)
    return str(target)


@contextmanager
def announced(*argv: str) -> Iterator[Server]:
    """A server whose first line is `listening HOST:PORT`."""
    with program(*argv, until="listening") as (process, lines):
        yield Server(int(lines[0].rpartition(":")[2]), process.pid)


@contextmanager
def gearmand(*options: str) -> Iterator[Server]:
    path, port = "/usr/sbin/gearmand", free_port()  # /usr/bin has the Perl server, of the same name
    if not Path(path).exists():
        raise SystemExit("gearmand is not installed: `make system` installs it where apt is")
    with tempfile.TemporaryDirectory() as folder:
        files = (f"--log-file={folder}/log", f"--pid-file={folder}/pid")
        with program(path, "-L", "127.0.0.1", "-p", str(port), "-b", "1024", *files, *options) as (process, _):
            until_it_listens(port)
            yield Server(port, process.pid)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk that this is on: what /tmp is on may be memory."""
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        yield Path(folder)


def keeping(store: str) -> AbstractContextManager[Server]:
    """Our server with a store, which is named as in `--store`."""
    return announced(*FLEET, "server", "--port", "0", "--store", store)


def gearmand_keeping(file: Path) -> AbstractContextManager[Server]:
    """gearmand with its queue in a SQLite file."""
    return gearmand("-t", "4", "--queue-type", "libsqlite3", f"--libsqlite3-db={file}")


# What `make compiled` made: our server as it is in the checkout, with its core compiled.
COMPILED_AT: Final = ROOT / "build" / "compiled"
WITH_COMPILED: Final = ("env", "PYTHONSAFEPATH=1", f"PYTHONPATH={COMPILED_AT}")  # safe: not what is in this directory

OURS, COMPILED = "fleet server", "fleet server, compiled"
GEARMAND, SPARING, FLOOR = "gearmand -t 4", "gearmand -t 4 -w 1", "floor in C"
SERVERS: Final[dict[str, Callable[[], AbstractContextManager[Server]]]] = {
    OURS: lambda: announced(*FLEET, "server", "--port", "0"),
    COMPILED: lambda: announced(*WITH_COMPILED, *FLEET, "server", "--port", "0"),
    GEARMAND: lambda: gearmand("-t", "4"),
    SPARING: lambda: gearmand("-t", "4", "-w", "1"),  # wakes one worker per job, not all that sleep
    FLOOR: lambda: announced(built("floor")),
}
