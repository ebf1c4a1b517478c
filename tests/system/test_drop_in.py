"""gearmand is replaced by `fleet gearmand` behind the same name, and all that was built on it goes on as before."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.client import admin
from fleet.errors import Deadline, NoServer
from fleet.settings import Address
from tests.conftest import need
from tests.interop.families import php
from tests.interop.servers import GEARMAND
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, ROOT, Program, until

pytestmark = [pytest.mark.system, pytest.mark.interop]

GREETING = "!dlroW olleH"
VISITS = 10
PERL_WORKERS = 3
# As a distribution's init script has it.
INIT = """\
#!/bin/sh
PATH={bin}:$PATH
case $1 in
start) gearmand --daemon --listen=127.0.0.1 --port={port} --pid-file={pid} --log-file={log} --verbose=INFO \\
       --job-retries=3 --worker-wakeup=1 --round-robin --threads=4 --backlog=64 --keepalive ;;
stop)  kill $(cat {pid}) ;;
status) gearadmin -h 127.0.0.1 -p {port} --status ;;
esac
"""


class Site:
    """A host with an init script, a PHP site and a pool of Perl workers, that know a job server by its port only."""

    def __init__(self, folder: Path, address: Address) -> None:
        self.address = address
        self.pid_file = folder / "gearmand.pid"
        self.program = folder / "bin" / "gearmand"
        self.program.parent.mkdir()
        self._init = folder / "init"
        places = {"bin": folder / "bin", "port": self.address.port, "pid": self.pid_file, "log": folder / "log"}
        _script(self._init, INIT.format(**places))

    def install(self, *command: str) -> None:
        """Put a job server behind the name gearmand."""
        _script(self.program, f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')

    def init(self, verb: str) -> str:
        done = subprocess.run(
            [str(self._init), verb],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        return done.stdout

    def start(self) -> None:
        self.init("start")
        until(self.answers, "the job server listens")

    def stop(self) -> None:
        self.init("stop")
        until(lambda: not self.answers() and not self.pid_file.exists(), "the job server has stopped")

    def answers(self) -> bool:
        try:
            return bool(admin.version(self.address))
        except (NoServer, Deadline):
            return False

    def workers(self) -> int:
        return next((f.workers for f in admin.status(self.address) if f.name == "reverse"), 0)


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def site(tmp_path: Path, closed_port: ClosedPort) -> Iterator[Site]:
    need("gearadmin")
    site = Site(tmp_path, closed_port())
    yield site
    if site.pid_file.exists():
        site.stop()


def visit(site: Site, spawn: Callable[..., Program]) -> str:
    """What a visitor of the PHP site sees."""
    script = str(ROOT / "examples" / "php" / "reverse_client.php")
    page = spawn(php(), script, site.address.host, str(site.address.port))
    line = page.out.line()
    assert page.ended() == 0
    return line


def test_the_site_does_not_notice(site: Site, spawn: Callable[..., Program]) -> None:
    if not GEARMAND.path.exists():
        need(str(GEARMAND.path))
    site.install(str(GEARMAND.path))
    site.start()
    worker = str(ROOT / "examples" / "perl" / "reverse_worker.pl")
    pool = [spawn(need("perl"), worker, site.address.host, str(site.address.port)) for _ in range(PERL_WORKERS)]
    for server in (None, (*FLEET, "gearmand")):
        if server:
            site.stop()
            site.install(*server)
            site.start()
        until(lambda: site.workers() == PERL_WORKERS, "the Perl workers are there")
        assert [visit(site, spawn) for _ in range(VISITS)] == [GREETING] * VISITS
        name, jobs, running, workers = site.init("status").splitlines()[0].split("\t")
        assert (name, jobs, running, workers) == ("reverse", "0", "0", str(PERL_WORKERS))
        assert int(site.pid_file.read_text()) > 0
    assert admin.version(site.address).startswith("0.")
    assert all(each.process.poll() is None for each in pool)
