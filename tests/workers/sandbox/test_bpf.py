"""The filter of calls, run here as the kernel runs it."""

from __future__ import annotations

import errno
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.workers.sandbox import bpf, syscalls
from fleet.workers.sandbox.bpf import Filter, Instruction, build
from fleet.workers.sandbox.syscalls import CALLS, EPERM, SELF, Answer, Call

PROCESSORS = sorted(bpf.PROCESSORS)
OWN = 4242  # the runner's process number
FILTERS = {name: build(name) for name in PROCESSORS}
WORD = st.integers(0, 2**64 - 1)


def judged(filter: Filter, processor: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel makes of a call: its own classic machine, of which a filter uses six instructions."""
    words = (*arguments, *(0,) * (6 - len(arguments)))
    data = pack("<IIQ6Q", number, processor, 0, *words)
    program = [i._replace(value=OWN) if at in filter.holes else i for at, i in enumerate(filter.program)]
    held, at = 0, 0
    for _ in range(len(program)):  # a filter only jumps forward
        code, value, if_true, if_false = program[at]
        at += 1
        if code == bpf.LOAD:
            held = int.from_bytes(data[value : value + 4], "little")
        elif code == bpf.AND:
            held &= value & 0xFFFFFFFF
        elif code == bpf.JUMP:
            at += value
        elif code == bpf.IF_EQUAL:
            at += if_true if held == value else if_false
        elif code == bpf.IF_AT_LEAST:
            at += if_true if held >= value else if_false
        else:
            assert code == bpf.RETURN
            return value
    raise AssertionError("it does not end")


def expected(answer: Answer) -> int:
    if answer.kill:
        return bpf.KILL_PROCESS
    return bpf.ERRNO | answer.error if answer.error else bpf.ALLOWED


def holds(test: syscalls.Test, arguments: tuple[int, ...]) -> bool:
    value = arguments[test.argument]
    if test.wide and value >> 32:
        return False
    return value & 0xFFFFFFFF & ~test.ignoring in {OWN if v == SELF else v for v in test.values}


def answer_of(call: Call, arguments: tuple[int, ...]) -> Answer:
    return call.answer if all(holds(test, arguments) for test in call.tests) else call.otherwise


@pytest.mark.parametrize("processor", PROCESSORS)
@given(st.sampled_from(CALLS), st.tuples(*[st.one_of(WORD, st.sampled_from((0, 1, 4, OWN, 0x3D0F00, 1 << 32)))] * 6))
def test_every_call_of_the_table_is_answered_as_the_table_says(
    processor: str, call: Call, arguments: tuple[int, ...]
) -> None:
    number = getattr(call, processor)
    if number is not None:
        found = judged(FILTERS[processor], bpf.PROCESSORS[processor], number, arguments)
        assert found == expected(answer_of(call, arguments)), call.name


@pytest.mark.parametrize("processor", PROCESSORS)
@given(st.integers(0, bpf.X32 - 1))
def test_a_call_that_is_not_in_the_table_is_refused(processor: str, number: int) -> None:
    if number not in {getattr(call, processor) for call in CALLS}:
        assert judged(FILTERS[processor], bpf.PROCESSORS[processor], number) == expected(EPERM)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_another_processors_numbers_and_x32_end_the_runner(processor: str) -> None:
    """The same number means another call there: 59 is execve on one and pipe2 on the other."""
    for other in (*(set(bpf.PROCESSORS.values()) - {bpf.PROCESSORS[processor]}), 0x40000003, 0):
        assert judged(FILTERS[processor], other, 0) == bpf.KILL_PROCESS
    assert judged(FILTERS[processor], bpf.PROCESSORS[processor], bpf.X32) == bpf.KILL_PROCESS


@pytest.mark.parametrize("processor", PROCESSORS)
def test_what_a_way_out_would_need_is_never_allowed(processor: str) -> None:
    """Whatever the table says one day: these must not be in it with a yes."""
    harmless = (0,) * 6
    by_name = {call.name: getattr(call, processor) for call in CALLS}
    for name in ("execve", "execveat", "ptrace", "connect", "bind", "process_vm_writev", "bpf", "io_uring_setup"):
        assert judged(FILTERS[processor], bpf.PROCESSORS[processor], by_name[name], harmless) == bpf.KILL_PROCESS
    for name in ("openat", "openat2", "clone3"):
        assert judged(FILTERS[processor], bpf.PROCESSORS[processor], by_name[name], harmless) & bpf.ERRNO


@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_kernel_would_take_it(processor: str) -> None:
    """At most 4096 instructions, of which the last ones return; jumps fit their bytes and stay inside."""
    program = FILTERS[processor].program
    assert len(program) <= 4096
    for at, instruction in enumerate(program):
        assert 0 <= instruction.if_true <= bpf.FAR
        assert 0 <= instruction.if_false <= bpf.FAR
        longest = instruction.value if instruction.code == bpf.JUMP else max(instruction[2:])
        assert at + 1 + longest < len(program) or instruction.code == bpf.RETURN
    assert len(FILTERS[processor].packed()) == 8 * len(program)


def test_far_jumps_are_made_of_two() -> None:
    many = [Call(f"c{n}", 2 * n, None, Answer(errno.ENOSYS), (syscalls.Test(0, tuple(range(9))),)) for n in range(120)]
    filter = build("x86_64", many)
    assert any(instruction.code == bpf.JUMP for instruction in filter.program)
    assert Instruction(bpf.JUMP, 0) not in filter.program
    for n in (0, 1, 60, 119):
        assert judged(filter, bpf.PROCESSORS["x86_64"], 2 * n, (8,)) == bpf.ERRNO | errno.ENOSYS
        assert judged(filter, bpf.PROCESSORS["x86_64"], 2 * n, (9,)) == bpf.ERRNO | errno.EPERM
        assert judged(filter, bpf.PROCESSORS["x86_64"], 2 * n + 1) == bpf.ERRNO | errno.EPERM
