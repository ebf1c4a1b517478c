"""The client's side of a connection, without a socket."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.client.conversation import Conversation
from fleet.client.task import PART_BYTES, Priority, StatusRequest, TaskState
from fleet.errors import JobFailed, ProtocolError, QueueFull, ServerRefused, TooMuchUnread
from fleet.jobserver.session import Session
from fleet.jobserver.wire import Hub
from fleet.protocol import REQ, RES, Decoder, encode, packets
from tests.jobserver.queue import make_broker


def task(
    workload: bytes = b"w", unique: bytes = b"", priority: Priority = "normal", background: bool = False
) -> TaskState:
    return TaskState(b"f", (workload,), unique, priority, background)


class Wire:
    """A conversation and a session, joined in memory; and a worker beside them."""

    def __init__(self) -> None:
        broker = make_broker()
        self.client = Conversation(1 << 20)
        self.session = Session(Hub(broker))
        self.worker = Session(Hub(broker))
        self.decoder = Decoder(RES, body_bytes=1 << 20)
        self.work(packets.CAN_DO, b"f")

    def move(self) -> None:
        """Bytes both ways until it is quiet."""
        while self.client.outbox or self.session.outbox:
            while self.client.outbox:
                self.session.feed(self.client.outbox.popleft(), 0)
            for data in self.session.take():
                self.client.feed(data)

    def work(self, kind: int, *args: bytes) -> list[tuple[Any, ...]]:
        self.worker.feed(encode(REQ, kind, *args), 0)
        sent = b"".join(map(bytes, self.worker.take()))
        return [(kind, *args) for kind, args in self.decoder.feed(sent)]

    def submit(self, *tasks: TaskState) -> None:
        for one in tasks:
            self.client.submit(one)
        self.move()

    def grab(self) -> bytes:
        ((kind, handle, *_),) = self.work(packets.GRAB_JOB)
        assert kind == packets.JOB_ASSIGN
        return bytes(handle)


def test_a_task_from_submit_to_result() -> None:
    wire, one = Wire(), task()
    wire.submit(one)
    assert one.accepted
    assert not one.done
    handle = wire.grab()
    wire.work(packets.WORK_STATUS, handle, b"1", b"2")
    wire.work(packets.WORK_DATA, handle, b"some")
    wire.work(packets.WORK_WARNING, handle, b"hm")
    wire.work(packets.WORK_COMPLETE, handle, b"done")
    wire.move()
    assert (one.progress, list(one.chunks), one.warnings, one.completed_with) == ((1, 2), [b"some"], [b"hm"], b"done")
    assert wire.client.idle


def test_answers_are_matched_to_submits_by_their_order() -> None:
    wire = Wire()
    tasks = [task(b"%d" % n) for n in range(5)]
    wire.submit(*tasks)
    for n in (0, 1, 2, 3, 4):
        handle = wire.grab()
        wire.work(packets.WORK_COMPLETE, handle, b"result %d" % n)
    wire.move()
    assert [one.completed_with for one in tasks] == [b"result %d" % n for n in range(5)]


def test_coalesced_tasks_each_hear_everything_once() -> None:
    wire = Wire()
    tasks = [task(unique=b"u") for _ in range(3)]
    wire.submit(*tasks[:2])
    handle = wire.grab()
    wire.work(packets.WORK_DATA, handle, b"a")
    wire.submit(tasks[2])
    wire.work(packets.WORK_DATA, handle, b"b")
    wire.work(packets.WORK_COMPLETE, handle, b"c")
    wire.move()
    assert [list(one.chunks) for one in tasks] == [[b"a", b"b"], [b"a", b"b"], [b"b"]]
    assert [one.completed_with for one in tasks] == [b"c"] * 3


def test_an_exception_is_the_tasks_error() -> None:
    wire, one, two = Wire(), task(), task()
    wire.submit(one, two)
    wire.work(packets.WORK_EXCEPTION, wire.grab(), b"ValueError: no")
    wire.work(packets.WORK_FAIL, wire.grab())
    wire.move()
    assert isinstance(one.error, JobFailed)
    assert str(one.error) == "ValueError: no"
    assert isinstance(two.error, JobFailed)


@pytest.mark.parametrize("text", [b"boom", b"b" * 300, "☺".encode()])
def test_an_exception_that_perls_worker_froze_is_thawed(text: bytes) -> None:
    head = b"\x05\x0b\x01" + len(text).to_bytes(4, "big") if len(text) > 255 else bytes((5, 11, 10, len(text)))
    conversation, one = Conversation(1 << 20), task()
    conversation.submit(one)
    conversation.feed(encode(RES, packets.JOB_CREATED, b"H:1"))
    conversation.feed(encode(RES, packets.WORK_EXCEPTION, b"H:1", head + text))
    assert str(one.error) == text.decode()


def test_a_refusal_is_the_error_of_the_submit_it_answers() -> None:
    conversation, tasks = Conversation(1000), [task(), task(), task()]
    for one in tasks:
        conversation.submit(one)
    conversation.feed(encode(RES, packets.OPTION_RES, b"exceptions"))
    conversation.feed(encode(RES, packets.JOB_CREATED, b"H:1"))
    conversation.feed(encode(RES, packets.ERROR, b"QUEUE_ERROR", b"Job queue is full"))
    conversation.feed(encode(RES, packets.ERROR, b"ARGUMENT_TOO_LARGE", b"too large"))
    assert tasks[0].accepted
    assert isinstance(tasks[1].error, QueueFull)
    assert isinstance(tasks[2].error, ServerRefused)
    assert tasks[2].error.code == "ARGUMENT_TOO_LARGE"


@pytest.mark.parametrize("answer", [b"", encode(RES, packets.ERROR, b"UNKNOWN_OPTION", b"no")])
def test_servers_that_do_not_know_the_option_are_served_all_the_same(answer: bytes) -> None:
    conversation, one = Conversation(1000), task()
    conversation.submit(one)
    conversation.feed(answer + encode(RES, packets.JOB_CREATED, b"H:1"))
    assert one.handle == "H:1"


def test_a_background_task_is_done_once_it_is_accepted() -> None:
    wire, one = Wire(), task(background=True)
    wire.submit(one)
    assert one.done
    assert wire.client.tasks() == []


@pytest.mark.parametrize("background", [False, True])
def test_a_task_with_a_reducer_says_so(background: bool) -> None:
    wire, one = Wire(), task(background=background)
    one.reducer = b"count"
    wire.submit(one)
    ((kind, *args),) = wire.work(packets.GRAB_JOB_ALL)
    assert (kind, one.accepted) == (packets.JOB_ASSIGN_ALL, True)
    assert list(map(bytes, args[1:])) == [b"f", b"", b"count", b"w"]


def test_status() -> None:
    wire, one = Wire(), task()
    wire.submit(one)
    request = StatusRequest(str(one.handle).encode())
    wire.client.ask_status(request)
    wire.move()
    assert request.status == (True, False, 0, 0)


@pytest.mark.parametrize("number", [b"x", b"-1", b"1" * 5000])
def test_numbers_that_are_none_break_the_protocol_and_leave_the_question_open(number: bytes) -> None:
    client, request = Conversation(1 << 20), StatusRequest(b"h")
    client.ask_status(request)
    with pytest.raises(ProtocolError):
        client.feed(encode(RES, packets.STATUS_RES, b"h", b"1", b"1", b"1", number))
    assert client.status_requests() == [request]  # the shell fails it, or it would wait for its deadline


def test_an_answer_to_what_was_not_asked_breaks_the_protocol() -> None:
    for answer, asked in (
        (encode(RES, packets.JOB_CREATED, b"h"), StatusRequest(b"h")),
        (encode(RES, packets.STATUS_RES, b"h", b"0", b"0", b"0", b"0"), task()),
    ):
        client = Conversation(1 << 20)
        if isinstance(asked, TaskState):
            client.submit(asked)
        else:
            client.ask_status(asked)
        with pytest.raises(ProtocolError):
            client.feed(answer)
        assert [*client.tasks(), *client.status_requests()] == [asked]


def test_progress_in_numbers_that_are_none_is_passed_over() -> None:
    client, one = Conversation(1 << 20), task()
    client.submit(one)
    client.feed(encode(RES, packets.JOB_CREATED, b"h") + encode(RES, packets.WORK_STATUS, b"h", b"1", b"2"))
    client.feed(encode(RES, packets.WORK_STATUS, b"h", b"1" * 5000, b"2"))
    assert one.progress == (1, 2)


@pytest.mark.parametrize("kind", [packets.WORK_DATA, packets.WORK_WARNING])
def test_parts_that_nobody_reads_have_a_bound(kind: int) -> None:
    client, one, other = Conversation(1 << 20), task(), task()
    one.unread_most = 10 * PART_BYTES
    for each in (one, other):
        client.submit(each)
    client.feed(encode(RES, packets.JOB_CREATED, b"h") + encode(RES, packets.JOB_CREATED, b"i"))
    for _ in range(10):
        client.feed(encode(RES, kind, b"h", b""))
    assert not one.done
    client.feed(encode(RES, kind, b"h", b""))
    assert isinstance(one.error, TooMuchUnread)
    assert (list(one.chunks), one.warnings) == ([], [])
    client.feed(encode(RES, packets.WORK_FAIL, b"h") + encode(RES, packets.WORK_COMPLETE, b"i", b"done"))
    assert isinstance(one.error, TooMuchUnread)
    assert other.completed_with == b"done"


def test_parts_that_are_read_make_room() -> None:
    one = task()
    one.unread_most = 2 * PART_BYTES
    for _ in range(10):
        one.data_arrived(b"x")
        assert one.read() == b"x"
    assert (one.error, one.unread) == (None, 0)


def test_tasks_that_have_not_ended_are_known_oldest_last_accepted_first() -> None:
    conversation = Conversation(1000)
    tasks = [task(), task()]
    for one in tasks:
        conversation.submit(one)
    conversation.feed(encode(RES, packets.OPTION_RES, b"exceptions") + encode(RES, packets.JOB_CREATED, b"H:1"))
    assert conversation.tasks() == tasks


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["high", "normal", "low"]), max_size=6), st.lists(st.binary(max_size=50), max_size=6))
def test_whatever_is_sent_comes_back_to_whom_it_belongs(priorities: list[Priority], workloads: list[bytes]) -> None:
    wire = Wire()
    tasks = [task(w, priority=p) for p, w in zip(priorities, workloads, strict=False)]
    wire.submit(*tasks)
    for _ in tasks:
        ((_, handle, _, workload),) = wire.work(packets.GRAB_JOB)
        wire.work(packets.WORK_COMPLETE, bytes(handle), b"<" + bytes(workload) + b">")
    wire.move()
    assert [one.completed_with for one in tasks] == [b"<" + w + b">" for _, w in zip(tasks, workloads, strict=False)]
