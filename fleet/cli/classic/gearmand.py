"""`fleet gearmand`: the job server, with the command line and the manners of Gearman's own `gearmand`.

What init scripts rely on is here: a daemon whose parent exits once it listens, a pid file, a log that SIGHUP opens
anew, and exit code 1 for whatever keeps it from starting.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet.cli import put
from fleet.cli.classic.options import NO_TLS, Chosen, Option, Senseless, help_lines, number, parse, port
from fleet.errors import FleetError
from fleet.settings import DEFAULT_PORT, Address, Keepalive, ServerSettings
from fleet.version import __version__

if TYPE_CHECKING:
    from fleet.jobserver.server import JobServer

CONFIG: Final = Path("/etc/gearmand.conf")
FAILED: Final = 1
NO_QUEUE: Final = "of the persistent queues there is libsqlite3; give --queue-type=libsqlite3 --libsqlite3-db=FILE"
NOTHING_TO_TUNE: Final = "accepted; there is nothing to tune"
NOTICE: Final = 25  # between INFO and WARNING
LEVELS: Final = {
    "FATAL": logging.CRITICAL,
    "ALERT": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "NOTICE": NOTICE,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}

OPTIONS: Final = (
    Option("b", "backlog", "N", "connections the kernel keeps before they are accepted (32)"),
    Option("", "check-args", help="only look whether the command line makes sense"),
    Option("", "config-file", "FILE", f"more options, separated by blanks ({CONFIG}, if it is there)"),
    Option("", "coredump", help="dump core when it crashes"),
    Option("d", "daemon", help="detach and go on in the background"),
    Option("", "exceptions", help="send exceptions to all clients, not only to those that ask for them"),
    Option("f", "file-descriptors", "N", "how many it may have open"),
    Option("", "hashtable-buckets", "N", NOTHING_TO_TUNE),
    Option("h", "help", help="print this"),
    Option("", "http-port", "PORT", "where HTTP is spoken (8080)"),
    Option("", "job-handle-prefix", "TEXT", "what job handles begin with (H:HOST)"),
    Option("j", "job-retries", "N", "how many workers a job may lose: -1 any number, 0 none (-1)"),
    Option("", "keepalive", help="notice hosts that vanish; always on"),
    Option("", "keepalive-count", "N", "probes without an answer before a host is gone (3)"),
    Option("", "keepalive-idle", "SECONDS", "of silence before the first probe (15)"),
    Option("", "keepalive-interval", "SECONDS", "between two probes (5)"),
    Option("", "libsqlite3-db", "FILE", "where background jobs are kept, with --queue-type=libsqlite3"),
    Option("L", "listen", "ADDRESS", "the address to listen on (all of this host's)"),
    Option("l", "log-file", "FILE", "where to log: a file, stderr or none (stderr; none for a daemon)"),
    Option("P", "pid-file", "FILE", "write the number of this process there"),
    Option("p", "port", "PORT", f"the port to listen on ({DEFAULT_PORT}, or what GEARMAND_PORT says)"),
    Option("r", "protocol", "NAME", "speak another protocol too: http", often=True),
    Option("q", "queue-type", "NAME", "builtin, or libsqlite3 (builtin)"),
    Option("R", "round-robin", help="take turns over functions; always on"),
    Option("", "syslog", help="log to the system's log"),
    Option("t", "threads", "N", NOTHING_TO_TUNE),
    Option("u", "user", "NAME", "become this user once the port is open"),
    Option("", "verbose", "LEVEL", f"what to log: {', '.join(LEVELS)} (ERROR)"),
    Option("V", "version", help="print the version"),
    Option("w", "worker-wakeup", "N", "workers that are woken for each job (one, and another if it does not come)"),
    Option("v", "v", refused="write --verbose=INFO"),
    *(Option("", name, refused=NO_TLS) for name in ("ssl",)),
    *(Option("", f"ssl-{name}", "FILE", refused=NO_TLS) for name in ("ca-file", "certificate", "key")),
    Option("", "libsqlite3-table", "NAME", refused="the tables of fleet's store have names of their own"),
    Option("", "store-queue-on-shutdown", refused="a background job is kept before it is acknowledged, not at the end"),
    *(Option("", f"libpq-{name}", "TEXT", refused=NO_QUEUE) for name in ("conninfo", "table")),
    *(Option("", f"redis-{name}", "TEXT", refused=NO_QUEUE) for name in ("server", "port", "password", "prefix")),
    *(
        Option("", f"mysql-{name}", "TEXT", refused=NO_QUEUE)
        for name in ("host", "port", "user", "password", "db", "table")
    ),
    *(Option("", f"libmemcached-{name}", "TEXT", refused=NO_QUEUE) for name in ("servers", "prefix")),
    *(Option("", f"libtokyocabinet-{name}", "TEXT", refused=NO_QUEUE) for name in ("file", "optimize")),
)


def main(argv: Sequence[str]) -> int:
    """Run the program with these arguments; returns the exit code."""
    chosen = _parse(argv)
    if "help" in chosen:
        put(f"Usage: fleet gearmand [OPTIONS]\n\n{help_lines(OPTIONS)}")
    elif "version" in chosen:
        put(f"fleet gearmand {__version__}")
    else:
        settings = settings_of(chosen, os.environ)
        if "check-args" not in chosen:
            return _serve(chosen, settings)
    return 0


def _parse(argv: Sequence[str]) -> Chosen:
    """The options of the command line, and those of the configuration file that it does not have. Raises Senseless."""
    chosen = _options(argv)
    path = Path(chosen["config-file"][-1]) if "config-file" in chosen else CONFIG
    if "config-file" not in chosen and not path.exists():
        return chosen
    try:
        words = shlex.split(path.read_text(), comments=True)
    except (OSError, ValueError) as error:
        raise Senseless(f"cannot read {path}: {getattr(error, 'strerror', None) or error}".lower()) from error
    return _options(words) | chosen


def _options(argv: Sequence[str]) -> Chosen:
    chosen, words = parse(argv, OPTIONS)
    if words:
        raise Senseless(f"{words[0]}: gearmand takes options only; --help lists them")
    return chosen


def settings_of(chosen: Chosen, environ: Mapping[str, str]) -> ServerSettings:
    """What the options mean. Raises Senseless, or UsageError for a protocol that is not spoken."""
    from fleet.jobserver.gateways import listen_at

    host = chosen.get("listen", [""])[-1]
    listening = port(chosen["port"][-1] if "port" in chosen else environ.get("GEARMAND_PORT") or str(DEFAULT_PORT))
    http = port(chosen["http-port"][-1]) if "http-port" in chosen else None
    _level(chosen)
    return ServerSettings(
        listen=Address(host, listening),
        gateways=listen_at(chosen.get("protocol", ()), host, {"http": http}),
        backlog=number(chosen, "backlog", 1, 65535, 32),
        keepalive=Keepalive(
            _positive(chosen, "keepalive-idle", Keepalive.idle_s),
            _positive(chosen, "keepalive-interval", Keepalive.interval_s),
            _positive(chosen, "keepalive-count", Keepalive.count),
        ),
        job_retries=number(chosen, "job-retries", -1, 255, -1),
        exceptions="exceptions" in chosen,
        worker_wakeup=number(chosen, "worker-wakeup", 0, 10_000, 0) or 1,
        handle_prefix=chosen.get("job-handle-prefix", [""])[-1],
        store=_store(chosen),
        admin="any",
    )


def _positive(chosen: Chosen, name: str, default: int) -> int:
    """-1 is the default, as in the original."""
    value = number(chosen, name, -1, 32767, -1)
    return value if value > 0 else default


def _store(chosen: Chosen) -> str:
    kind, file = chosen.get("queue-type", ["builtin"])[-1], chosen.get("libsqlite3-db", [""])[-1]
    if kind == "builtin" and not file:
        return ""
    if kind == "libsqlite3" and file:
        return f"sqlite:{file}"
    if kind == "libsqlite3":
        raise Senseless("--queue-type libsqlite3 needs a file: add --libsqlite3-db=FILE")
    raise Senseless(f"--queue-type {kind} is refused: {NO_QUEUE}")


def _level(chosen: Chosen) -> int:
    name = chosen.get("verbose", ["ERROR"])[-1].upper()
    if name not in LEVELS:
        raise Senseless(f"--verbose {name}: it is one of {', '.join(LEVELS)}")
    return LEVELS[name]


# -- running ------------------------------------------------------------------------------------------------------


def _serve(chosen: Chosen, settings: ServerSettings) -> int:
    from fleet.cli.classic import process
    from fleet.jobserver.server import run

    _limits(chosen)
    detached = process.detach() if "daemon" in chosen else None
    try:
        reopen = _log(chosen)
        with ExitStack() as stack:

            def ready(server: JobServer) -> None:
                stack.enter_context(process.pid_file(chosen["pid-file"][-1] if "pid-file" in chosen else None))
                _become(chosen)
                if detached:
                    detached()

            run(settings, ready, reopen)
    except FleetError as error:
        sys.stderr.write(f"gearmand: {error}\n")
        return FAILED
    return 0


def _limits(chosen: Chosen) -> None:
    import resource

    if "file-descriptors" in chosen:
        wanted = number(chosen, "file-descriptors", 16, 1_000_000, 0)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, OSError):
            raise Senseless(f"--file-descriptors {wanted}: the system does not allow so many") from None
    if "coredump" in chosen:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _log(chosen: Chosen) -> Callable[[], None]:
    """Begin to log; what is returned opens the log anew. Raises FleetError."""
    from logging.handlers import SysLogHandler, WatchedFileHandler

    logging.addLevelName(NOTICE, "NOTICE")
    where = chosen.get("log-file", ["none" if "daemon" in chosen else "stderr"])[-1]
    handler: logging.Handler
    try:
        if "syslog" in chosen:
            handler = SysLogHandler("/dev/log", SysLogHandler.LOG_DAEMON)
        elif where == "none":
            handler = logging.NullHandler()
        elif where == "stderr":
            handler = logging.StreamHandler()
        else:
            handler = WatchedFileHandler(where)
    except OSError as error:
        raise FleetError(f"cannot log to {where}: {(error.strerror or str(error)).lower()}") from error
    handler.setFormatter(logging.Formatter("%(levelname)8s %(asctime)s %(message)s"))
    logger = logging.getLogger("fleet.server")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(_level(chosen))
    return handler.reopenIfNeeded if isinstance(handler, WatchedFileHandler) else lambda: None


def _become(chosen: Chosen) -> None:
    """The user it is to be. Raises FleetError."""
    if "user" not in chosen:
        return
    import pwd

    name = chosen["user"][-1]
    try:
        user = pwd.getpwnam(name)
        os.initgroups(name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    except KeyError:
        raise FleetError(f"there is no user {name}") from None
    except PermissionError:
        raise FleetError(f"only root can become {name}") from None
