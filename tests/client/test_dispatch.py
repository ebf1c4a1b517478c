"""Which server has which task, at links that tests hold in their hands."""

from __future__ import annotations

from fleet.client.conversation import Conversation
from fleet.client.dispatch import CONNECT_S, MAX_RESUBMITS, RETURN_S, Dispatch
from fleet.client.link import Link, LinkLost
from fleet.client.routing import ranked
from fleet.client.task import StatusRequest, TaskState
from fleet.errors import FleetError, NoServer
from fleet.protocol import RES, encode, packets
from fleet.settings import Address

SERVERS = [Address("127.0.0.1", port) for port in (1, 2, 3)]


class HeldLink(Link):
    """A link without a socket."""

    refuses = False
    closed_by_server = False

    def ended(self) -> bool:
        return self.closed_by_server

    def open(self, connect_by: float) -> None:
        if self.refuses:
            raise LinkLost("refused")
        self.closed_by_server = False
        self.conversation = Conversation(1 << 20)
        self.connecting, self.connect_by = True, connect_by


def dispatch() -> Dispatch[HeldLink]:
    return Dispatch({address: HeldLink(address, 1 << 20) for address in SERVERS}, lambda: 0.5)


def task(unique: bytes = b"u") -> TaskState:
    return TaskState(b"f", (b"w",), unique, "normal", False)


def accept(link: HeldLink) -> None:
    link.connecting, link.sock = False, link.sock
    link.conversation.feed(encode(RES, packets.JOB_CREATED, b"H:1"))


def test_a_task_goes_to_the_first_server_of_its_order_that_opens() -> None:
    made, one = dispatch(), task()
    first, second, third = ranked(SERVERS, one.unique)
    made.links[first].refuses = True
    made.place(one, 0.0)
    assert (one.server, dict(one.tried)) == (second, {first: "refused"})
    assert made.links[third].down


def test_without_a_server_a_new_task_fails_and_says_who_was_tried() -> None:
    made, one = dispatch(), task()
    for link in made.links.values():
        link.refuses = True
    made.place(one, 0.0)
    assert isinstance(one.error, NoServer)
    assert all(f"{address} (refused)" in str(one.error) for address in SERVERS)


def test_a_server_that_closed_the_connection_is_connected_anew_and_what_it_had_waits_for_its_return() -> None:
    made, one, two = dispatch(), task(), task()
    made.place(one, 0.0)
    assert one.server
    link = made.links[one.server]
    accept(link)
    link.closed_by_server = True
    for other in made.links.values():
        other.refuses = other is not link
    made.place(two, 1.0)
    assert link.conversation.tasks() == [two]
    assert list(made.homeless) == [one]
    made.due(2.0)
    assert link.conversation.tasks() == [two, one]


def test_a_server_that_does_not_accept_in_time_is_passed_over() -> None:
    made, one = dispatch(), task()
    first, second, _ = ranked(SERVERS, one.unique)
    made.place(one, 10.0)
    assert made.next_due_s(10.0) == CONNECT_S
    made.due(10.0 + CONNECT_S)
    assert (one.server, one.resubmits) == (second, 0)
    assert "no connection in 3 s" in one.tried[first]


def test_a_task_without_a_server_waits_for_one_and_no_longer_than_it_should() -> None:
    made, one = dispatch(), task()
    made.place(one, 1.0)
    assert one.server
    accept(made.links[one.server])
    for link in made.links.values():
        link.refuses = True
    made.lost(made.links[one.server], "gone", 1.0)
    assert (list(made.homeless), one.error) == ([one], None)
    made.due(1.0 + RETURN_S / 2)
    assert list(made.homeless) == [one]
    made.due(1.1 + RETURN_S)
    assert isinstance(one.error, NoServer)
    assert not made.homeless


def test_a_task_that_outlived_too_many_servers_fails() -> None:
    made, one = dispatch(), task()
    made.place(one, 1.0)
    for _ in range(MAX_RESUBMITS + 1):
        assert one.error is None
        assert one.server
        one.tried.clear()
        accept(made.links[one.server])
        made.lost(made.links[one.server], "gone", 1.0)
    assert f"went away {MAX_RESUBMITS + 1} times with this job" in str(one.error)


def test_a_task_that_was_given_up_is_not_sent_again() -> None:
    made, one = dispatch(), task()
    made.place(one, 1.0)
    assert one.server
    accept(made.links[one.server])
    one.given_up = True
    made.lost(made.links[one.server], "gone", 1.0)
    assert not made.homeless
    assert not any(link.conversation.tasks() for link in made.links.values() if not link.down)


def test_closing_fails_all_that_is_waited_for() -> None:
    made, one, request = dispatch(), task(), StatusRequest(b"H:1")
    made.place(one, 1.0)
    assert one.server
    made.ask_status(one.server, request, 1.0)
    made.close(FleetError("closed"))
    assert str(one.error) == str(request.error) == "closed"
    assert all(link.down for link in made.links.values())
