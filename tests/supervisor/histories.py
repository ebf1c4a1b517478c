"""What happened at which second, and what the machine does about it."""

from __future__ import annotations

from collections.abc import Callable

from fleet.supervisor.machine import Action, Announce, Kill, Machine, Relay, Report, Spawn, Terminate
from fleet.supervisor.spec import Exit, Part

SERVER = Part("server", ("serve", "--port", "{server.port:0}"), "listening ", stop_s=10)
POOL = Part("pool", ("work", "{server}"), "ready ", needs=("server",), stop_s=25)
LISTENING = "listening 127.0.0.1:7"
SLOTS = "ready 16 slots: resize"
SIGINT, SIGTERM = 2, 15

Event = Callable[[Machine, int], None]


def said(name: str, line: str) -> Event:
    return lambda machine, now: machine.said(name, line, now)


def died(name: str, status: int, cause: str = "died") -> Event:
    return lambda machine, now: machine.exited(name, Exit(status, cause), now)


def asked(signum: int) -> Event:
    return lambda machine, now: machine.asked(signum)


def nothing(machine: Machine, now: int) -> None:
    """Only time passes."""


FIRST = Spawn("server", ("serve", "--port", "0"))
AGAIN = Spawn("server", ("serve", "--port", "7"))
WORK = Spawn("pool", ("work", "127.0.0.1:7"))
HOPELESS = Report("pool died; at the first start that is not tried again")
FINISHING = Report("finishing what runs; a second signal stops at once")

History = list[tuple[float, Event, list[Action]]]
UP: History = [
    (0.0, nothing, [FIRST]),
    (1.0, said("server", LISTENING), [Announce(f"server   {LISTENING}"), WORK]),
    (2.0, said("pool", SLOTS), [Announce(f"pool     {SLOTS}"), Announce("ready")]),
]

# By what they tell: the history, and the exit code if it ends.
HISTORIES: dict[str, tuple[History, int | None]] = {
    "the pool waits for the server, and then knows its address": (UP, None),
    "what is no announcement is passed on": (
        [
            (0.0, nothing, [FIRST]),
            (0.5, said("server", "hello"), [Relay("server", "hello")]),
            (1.0, said("server", LISTENING), [Announce(f"server   {LISTENING}"), WORK]),
            (1.5, said("server", LISTENING), [Relay("server", LISTENING)]),
        ],
        None,
    ),
    "a dead server comes back on its port, and the pool is left alone": (
        [
            *UP,
            (9.0, died("server", -9, "killed by SIGKILL"), [Report("server killed by SIGKILL; restarting in 0.1 s")]),
            (9.09, nothing, []),
            (9.1, nothing, [AGAIN]),
            (9.5, said("server", LISTENING), [Report(f"server is back: {LISTENING}")]),
        ],
        None,
    ),
    "a pool that dies without its server waits for it": (
        [
            *UP,
            (9.0, died("server", 1), [Report("server died; restarting in 0.1 s")]),
            (9.0, died("pool", 1), [Report("pool died; restarting in 0.1 s")]),
            (9.2, nothing, [AGAIN]),
            (9.3, nothing, []),
            (9.5, said("server", LISTENING), [Report(f"server is back: {LISTENING}"), WORK]),
            (9.9, said("pool", SLOTS), [Report(f"pool is back: {SLOTS}")]),
        ],
        None,
    ),
    "deaths in a row wait longer and longer, and a minute of health forgives": (
        [
            *UP,
            (3.0, died("pool", 1), [Report("pool died; restarting in 0.1 s")]),
            (3.1, nothing, [WORK]),
            (4.0, said("pool", SLOTS), [Report(f"pool is back: {SLOTS}")]),
            (5.0, died("pool", 1), [Report("pool died; restarting in 0.2 s")]),
            (5.2, nothing, [WORK]),
            (6.0, said("pool", SLOTS), [Report(f"pool is back: {SLOTS}")]),
            (66.0, nothing, []),
            (67.0, died("pool", 1), [Report("pool died; restarting in 0.1 s")]),
        ],
        None,
    ),
    "who is not ready in time is killed and tried again": (
        [
            (0.0, nothing, [FIRST]),
            (59.9, nothing, []),
            (60.0, nothing, [Kill("server")]),
            (60.1, said("server", LISTENING), [Relay("server", LISTENING)]),
            (60.2, died("server", -9), [Report("server did not become ready in 60 s; restarting in 0.1 s")]),
            (60.3, nothing, [FIRST]),
        ],
        None,
    ),
    "the same start-up failure again and again is quarantined, and may still heal": (
        [
            *UP,
            (10.0, died("pool", 1), [Report("pool died; restarting in 0.1 s")]),
            (20.0, nothing, [WORK]),
            (20.0, died("pool", 1, "broke"), [Report("pool broke; restarting in 0.2 s")]),
            (30.0, nothing, [WORK]),
            (30.0, died("pool", 1), [Report("pool died; restarting in 0.4 s")]),
            (40.0, nothing, [WORK]),
            (40.0, died("pool", 1), [Report("pool died; restarting in 0.8 s")]),
            (50.0, nothing, [WORK]),
            (
                50.0,
                died("pool", 1),
                [
                    Report(
                        "pool died, 3 times in a row before it was ready; it is quarantined and tried every 60 s. "
                        "Somebody must mend what it complains of above"
                    )
                ],
            ),
            (109.9, nothing, []),
            (110.0, nothing, [WORK]),
            (111.0, said("pool", SLOTS), [Report(f"pool is back: {SLOTS}")]),
            (112.0, died("pool", 1), [Report("pool died; restarting in 3.2 s")]),
        ],
        None,
    ),
    "at the first start a hopeless part ends everything": (
        [
            *UP[:2],
            (
                1.5,
                died("pool", 127),
                [HOPELESS, Terminate("server")],
            ),
            (1.6, died("server", 0), []),
        ],
        127,
    ),
    "alone, too, and what has said why itself is not reported": (
        [(0.0, nothing, [FIRST]), (0.5, died("server", 78), [])],
        78,
    ),
    "later it is tried again": (
        [*UP, (9.0, died("server", 78), [Report("server died; restarting in 0.1 s")]), (9.1, nothing, [AGAIN])],
        None,
    ),
    "a part that may heal is tried again even at the first start": (
        [
            (0.0, nothing, [FIRST]),
            (0.5, died("server", 1), [Report("server died; restarting in 0.1 s")]),
            (0.6, nothing, [FIRST]),
        ],
        None,
    ),
    "asked to stop, the pool goes first": (
        [
            *UP,
            (5.0, asked(SIGINT), [FINISHING, Terminate("pool")]),
            (6.0, nothing, []),
            (20.0, died("pool", 0), [Report("pool stopped: died"), Terminate("server")]),
            (21.0, died("server", 0), [Report("server stopped: died")]),
        ],
        0,
    ),
    "who does not go is killed": (
        [
            *UP,
            (5.0, asked(SIGTERM), [FINISHING, Terminate("pool")]),
            (30.0, nothing, [Report("pool is still there after 25 s; killing it"), Kill("pool")]),
            (
                30.1,
                died("pool", -9),
                [Report("pool stopped: killed, it did not stop in 25 s"), Terminate("server")],
            ),
            (31.0, died("server", 0), [Report("server stopped: died")]),
        ],
        0,
    ),
    "the second time, at once": (
        [
            *UP,
            (5.0, asked(SIGTERM), [FINISHING, Terminate("pool")]),
            (6.0, asked(SIGINT), [Kill("server"), Kill("pool")]),
        ],
        130,
    ),
    "nothing is started while stopping": (
        [
            *UP,
            (5.0, died("server", 1), [Report("server died; restarting in 0.1 s")]),
            (5.0, asked(SIGTERM), [FINISHING, Terminate("pool")]),
            (6.0, nothing, []),
            (7.0, died("pool", 0), [Report("pool stopped: died")]),
        ],
        0,
    ),
    "asked before anything was ready": (
        [
            (0.0, nothing, [FIRST]),
            (0.1, asked(SIGINT), [FINISHING, Terminate("server")]),
            (0.2, said("server", LISTENING), [Relay("server", LISTENING)]),
            (0.3, died("server", -15), [Report("server stopped: died")]),
        ],
        0,
    ),
    "asked while the first failure is being cleared up, once is not at once": (
        [
            *UP[:2],
            (
                1.5,
                died("pool", 126),
                [HOPELESS, Terminate("server")],
            ),
            (1.6, asked(SIGINT), []),
            (1.7, died("server", 0), [Report("server stopped: died")]),
        ],
        126,
    ),
}
