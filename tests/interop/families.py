"""The Gearman libraries nobody here wrote, and ours: what each can do, and how its program is started.

Each family has one program in `programs/` with two roles. `worker HOST PORT` registers a function for each thing a
worker can do. `client HOST PORT CHECK...` makes the checks it is told and prints a line for each; what it should print
is in `SEEN`, whichever library the worker is written with.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet.settings import Address
from fleet.version import __version__
from tests.conftest import missing, need
from tests.processes import FLEET, ROOT, Program

PROGRAMS = Path(__file__).parent / "programs"
NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
ENVIRONMENT = {"NODE_PATH": str(NODE_MODULES), "NODE_NO_WARNINGS": "1"}  # of their programs
PEERS = ROOT / ".venv-peers"

# What a client prints for each check: of a worker's `data`, the pieces and the result; of a failure, how it ends.
SEEN = {
    "reverse": "!dlroW olleH",
    "high": "hgih",
    "low": "wol",
    "data": "abc",
    "status": "50/100",
    "warning": "careful",
    "fail": "failed",
    "exception": "boom",  # behind the name of its type, where the worker's language has that
    "background": "queued",
    "ping": "pong",
}
# What the worker must be able to do for a check, where it is not the function of the same name.
NEEDS = {"high": "reverse", "low": "reverse", "background": "", "ping": ""}


@dataclass(frozen=True)
class Family:
    """A library.

    Attributes:
        name: as people call it.
        words: what starts its program; where the library is missing, the test skips.
        version: which one is here.
        sees: the checks that its client can make.
        does: the functions that its worker has.
    """

    name: str
    words: Callable[[], list[str]]
    version: Callable[[], str]
    sees: str
    does: str

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def worker(self, spawn: Callable[..., Program], server: Address) -> Program:
        return self._run(spawn, "worker", server)

    def client(self, spawn: Callable[..., Program], server: Address, checks: list[str]) -> Program:
        return self._run(spawn, "client", server, *checks)

    def _run(self, spawn: Callable[..., Program], role: str, server: Address, *checks: str) -> Program:
        words = [*self.words(), role, server.host, str(server.port), *checks]
        return spawn(*words, env=ENVIRONMENT)

    def checks_with(self, worker: Family) -> list[str]:
        """What its client can check of that worker."""
        return [check for check in self.sees.split() if NEEDS.get(check, check) in ("", *worker.does.split())]


def php() -> str:
    """PHP with its gearman extension."""
    if "gearman" not in _said(need("php"), "-m").split():
        missing("php has no gearman extension")
    return need("php")


def perl() -> str:
    """Perl with the Gearman modules."""
    if not _said(need("perl"), "-MGearman::Worker", "-e", "print 1"):
        missing("perl has no Gearman modules")
    return need("perl")


def peers_python() -> str:
    """The Python that has the other libraries."""
    if not (PEERS / "bin" / "python").exists():
        missing(f"{PEERS.name} is not there; `make peers` makes it")
    return str(PEERS / "bin" / "python")


def node() -> str:
    """A node that finds the packages."""
    if not NODE_MODULES.exists():
        missing("the node packages are not installed; `make peers` installs them where npm is")
    return need("node")


@functools.cache
def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30).stdout


def debian(package: str) -> str:
    """The version of a Debian package without Debian's own part."""
    return _said("dpkg-query", "-W", "-f", "${Version}", package).rpartition(":")[2].split("+")[0].split("-")[0]


def pypi(package: str) -> str:
    found = PEERS.glob(f"lib/*/site-packages/{package.replace('-', '_')}-*.dist-info")
    return next((path.stem.partition("-")[2] for path in found), "")


def npm(package: str) -> str:
    file = NODE_MODULES / package / "package.json"
    return file.read_text().partition('"version": "')[2].partition('"')[0] if file.exists() else ""


def _python(package: str, program: str, *more: str, sees: str, does: str) -> Family:
    return Family(package, lambda: [peers_python(), str(PROGRAMS / program), *more], lambda: pypi(package), sees, does)


def _node(package: str, program: str, sees: str, does: str) -> Family:
    return Family(f"{package} (npm)", lambda: [node(), str(PROGRAMS / program)], lambda: npm(package), sees, does)


OURS = Family(
    "fleet",
    lambda: [FLEET[0], str(PROGRAMS / "using_fleet.py")],
    lambda: __version__,
    sees="reverse high low background data status warning fail exception",
    does="reverse data status warning fail exception",
)
PHP = Family(
    "PHP ext-gearman",
    lambda: [php(), str(PROGRAMS / "using_ext.php")],
    lambda: debian("php-gearman"),
    sees="reverse high low background data status warning fail exception ping",
    does="reverse data status warning fail exception",
)
PERL = Family(
    "Perl Gearman",
    lambda: [perl(), str(PROGRAMS / "using_gearman.pl")],
    lambda: debian("libgearman-client-perl"),
    sees="reverse high low background data status warning fail exception",
    does="reverse data status warning fail exception",
)
GEAR = _python(
    "gear",
    "using_gear.py",
    sees="reverse high low background data status warning fail exception",
    does="reverse data status warning fail exception",
)
PYTHON_GEARMAN = [
    _python(
        package,
        "using_gearman.py",
        module,
        sees="reverse high low background data status warning fail",
        does="reverse data status warning fail exception",
    )
    for package, module in (
        ("pygearman", "gearman"),
        ("py3gearman", "py3gearman"),
        ("python3-gearman", "python3_gearman"),
    )
]
AIOGEAR = _python(
    "aiogear",
    "using_aiogear.py",
    sees="reverse high low background fail exception",
    does="reverse exception",
)
NODE = [
    _node(
        "gearman",
        "using_gearman.js",
        sees="reverse high low background data status warning fail exception",
        does="reverse data status warning fail exception",
    ),
    _node("node-gearman", "using_node_gearman.js", sees="reverse high low data fail", does="reverse data fail"),
    _node(
        "gearmanode",
        "using_gearmanode.js",
        sees="reverse high low background data status warning fail exception",
        does="reverse data status warning fail exception",
    ),
    _node(
        "abraxas",
        "using_abraxas.js",
        sees="reverse high low background data status warning fail exception",
        does="reverse status warning exception",
    ),
    _node(
        "gearman-node",
        "using_gearman_node.js",
        sees="reverse data status warning fail",
        does="reverse data status warning fail",
    ),
]
THEIRS = [PHP, PERL, GEAR, *PYTHON_GEARMAN, AIOGEAR, *NODE]
