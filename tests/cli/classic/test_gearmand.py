"""`fleet gearmand` as init scripts use it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.cli.classic.gearmand import LEVELS, OPTIONS, settings_of
from fleet.cli.classic.options import Senseless, parse
from fleet.client import admin
from fleet.errors import UsageError
from fleet.protocol import packets as p
from fleet.settings import Address, Keepalive, ServerSettings
from fleet.version import __version__
from tests.cli.command import complaint, fleet
from tests.peer import Peer
from tests.ports import ClosedPort
from tests.processes import FLEET, Program, alive, until

GEARMAND = (*FLEET, "gearmand", "-L", "127.0.0.1")


def settings(*argv: str, **environ: str) -> ServerSettings:
    return settings_of(parse(argv, OPTIONS)[0], environ)


# -- options ----------------------------------------------------------------------------------------------------


def test_without_options_it_listens_everywhere_on_gearmans_port() -> None:
    assert settings() == ServerSettings(listen=Address("", 4730), backlog=32, admin="any")


def test_the_options_mean_what_they_mean_to_the_original() -> None:
    chosen = settings(
        *("-L", "10.0.0.1", "--port=1234", "-b", "64", "-j", "3", "--exceptions", "-w", "5", "-R", "-t", "8"),
        *("--job-handle-prefix=H:me", "--keepalive", "--keepalive-idle=60", "--keepalive-interval=-1"),
        *("--keepalive-count=9", "-r", "http", "--http-port", "8081", "--hashtable-buckets=1000", "--verbose", "info"),
    )
    assert chosen == ServerSettings(
        listen=Address("10.0.0.1", 1234),
        gateways=(("http", Address("10.0.0.1", 8081)),),
        backlog=64,
        keepalive=Keepalive(60, 5, 9),
        job_retries=3,
        exceptions=True,
        worker_wakeup=5,
        handle_prefix="H:me",
        admin="any",
    )


def test_the_port_may_come_from_the_environment() -> None:
    assert settings(GEARMAND_PORT="1234").listen.port == 1234
    assert settings("-p", "99", GEARMAND_PORT="1234").listen.port == 99


def test_sqlite_is_the_persistent_queue() -> None:
    assert settings("-q", "libsqlite3", "--libsqlite3-db=/tmp/q").store == "sqlite:/tmp/q"
    assert settings("--queue-type=builtin").store == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--ssl"], "there is no TLS yet"),
        (["--ssl-ca-file=x"], "there is no TLS yet"),
        (["-q", "libpq"], "--queue-type libpq is refused: of the persistent queues there is libsqlite3"),
        (["-q", "libsqlite3"], "--libsqlite3-db=FILE"),
        (["--libsqlite3-db=x"], "--queue-type"),
        (["-q", "libsqlite3"], "--queue-type libsqlite3 needs a file: add --libsqlite3-db=FILE"),
        (["--redis-server=x"], "of the persistent queues there is libsqlite3"),
        (["--store-queue-on-shutdown"], "kept before it is acknowledged"),
        (["-v"], "write --verbose=INFO"),
        (["--verbose=LOUD"], "it is one of FATAL"),
        (["-j", "256"], "from -1 to 255"),
        (["-p", "70000"], "there are only 65535"),
        (["-r", "xmpp"], "xmpp"),
        (["--http-port=8080"], "not --protocol http"),
    ],
)
def test_what_is_not_there_is_refused_with_a_sentence(words: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(*words)
    assert text in str(caught.value)


def test_no_letter_and_no_name_stands_for_two_options() -> None:
    for spellings in ([option.letter for option in OPTIONS], [option.name for option in OPTIONS]):
        given = [spelling for spelling in spellings if spelling]
        assert len(given) == len(set(given))
    with pytest.raises(Senseless):
        parse(["--keepalive-i=1"], OPTIONS)


# -- running ----------------------------------------------------------------------------------------------------

system = pytest.mark.system


@system
@pytest.mark.parametrize("words", [["extra"], ["--bogus"], ["--check-args", "--ssl"], ["--config-file=/no/such"]])
def test_a_senseless_command_line_exits_with_1(words: list[str]) -> None:
    done = fleet("gearmand", *words)
    assert done.returncode == 1
    assert complaint(done).startswith("gearmand: ")


@system
def test_check_args_version_and_help_exit_with_0(tmp_path: Path) -> None:
    config = tmp_path / "gearmand.conf"
    config.write_text("--port=1 # a comment\n  --verbose DEBUG\n")
    assert fleet("gearmand", "--check-args", f"--config-file={config}").returncode == 0
    config.write_text("--port=hm")
    assert fleet("gearmand", "--check-args", f"--config-file={config}").returncode == 1
    assert fleet("gearmand", "-V").stdout.decode() == f"fleet gearmand {__version__}\n"
    assert b"--job-retries" in fleet("gearmand", "-h").stdout


class Daemon:
    """A daemon that `fleet gearmand -d` left behind."""

    def __init__(self, folder: Path, address: Address, *words: str) -> None:
        self.address = address
        self.pid_file, self.log = folder / "pid", folder / "log"
        files = f"--pid-file={self.pid_file}", f"--log-file={self.log}"
        self.done = fleet("gearmand", "-d", "-L", "127.0.0.1", "-p", str(self.address.port), *files, *words)

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def gone(self) -> bool:
        return not self.pid_file.exists()


@pytest.fixture
def daemon(tmp_path: Path, closed_port: ClosedPort) -> Iterator[Callable[..., Daemon]]:
    started: list[Daemon] = []

    def start(*words: str) -> Daemon:
        started.append(Daemon(tmp_path, closed_port(), *words))
        return started[-1]

    yield start
    for each in started:
        if not each.gone():
            os.kill(each.pid, signal.SIGKILL)


@system
def test_a_daemon_listens_when_its_parent_has_exited_and_leaves_no_pid_file(daemon: Callable[..., Daemon]) -> None:
    one = daemon()
    assert (one.done.returncode, one.done.stdout, one.done.stderr) == (0, b"", b"")
    assert admin.ask(one.address, "getpid") == f"OK {one.pid}"
    pid = one.pid
    os.kill(pid, signal.SIGTERM)
    until(lambda: one.gone() and not alive(pid), "it ended and took its pid file with it")


@system
def test_a_taken_port_is_told_at_the_terminal(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    one = daemon()
    for how in ([], ["-d"]):
        done = fleet("gearmand", *how, "-L", "127.0.0.1", "-p", str(one.address.port))
        assert done.returncode == 1
        assert "address already in use" in complaint(done)


@system
def test_sighup_opens_the_log_anew(daemon: Callable[..., Daemon]) -> None:
    one = daemon("--verbose=DEBUG")
    assert admin.ask(one.address, "verbose") == "OK DEBUG"
    old = one.log.rename(one.log.with_name("log.1"))
    os.kill(one.pid, signal.SIGHUP)
    until(lambda: bool(admin.ask(one.address, "version")) and one.log.exists(), "there is a new log")
    assert "listening on" in old.read_text()
    until(lambda: "connected: " in one.log.read_text(), "connections are logged in it")


@system
def test_sigusr1_is_a_graceful_end(spawn: Callable[..., Program], closed_port: ClosedPort) -> None:
    address = closed_port()
    program = spawn(*GEARMAND, "-p", str(address.port), "--verbose=INFO")
    program.err.until("listening on")
    with Peer(address) as peer:
        peer.send(p.CAN_DO, b"f")
        peer.ask(p.SUBMIT_JOB, b"f", b"", b"w")
        handle = bytes(peer.ask(p.GRAB_JOB).args[0])
        program.send(signal.SIGUSR1)
        program.err.until("retiring: 1 jobs are left")
        peer.send(p.WORK_COMPLETE, handle, b"")
        assert peer.read().kind == p.WORK_COMPLETE
    assert program.ended() == 0


@system
def test_options_reach_the_server(spawn: Callable[..., Program], closed_port: ClosedPort) -> None:
    address = closed_port()
    words = ("--exceptions", "-j", "1", "--job-handle-prefix=H:lap", "--verbose=INFO")
    program = spawn(*GEARMAND, "-p", str(address.port), *words)
    program.err.until("listening on")
    with Peer(address) as client, Peer(address) as worker:
        worker.send(p.CAN_DO, b"f")
        (handle,) = client.ask(p.SUBMIT_JOB, b"f", b"", b"w").args
        assert bytes(handle).startswith(b"H:lap:1-")
        worker.ask(p.GRAB_JOB)
        worker.send(p.WORK_EXCEPTION, bytes(handle), b"why")
        assert client.read() == (p.WORK_EXCEPTION, (handle, b"why"))
        client.ask(p.SUBMIT_JOB, b"f", b"", b"w")
        worker.ask(p.GRAB_JOB)
        worker.sock.close()
        assert client.read().kind == p.WORK_FAIL


@system
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_becomes_another_user_once_the_port_is_open(daemon: Callable[..., Daemon], closed_port: ClosedPort) -> None:
    one = daemon("-u", "nobody")
    assert one.done.returncode == 0
    assert Path(f"/proc/{one.pid}").stat().st_uid == 65534
    assert admin.ask(one.address, "version")
    done = fleet("gearmand", "-d", "-L", "127.0.0.1", "-p", str(closed_port().port), "-u", "no-such-user")
    assert (done.returncode, complaint(done)) == (1, "gearmand: there is no user no-such-user")


def test_every_level_of_the_original_is_known() -> None:
    assert list(LEVELS) == ["FATAL", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]
