"""From the table of calls to a program for the kernel's filter (seccomp's classic BPF). Pure.

The program looks for the call's number by halving, not one by one: the kernel runs it once for every number there is
when a runner loads it, to remember those that need no look at their arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Final, NamedTuple

from fleet.workers.sandbox.syscalls import CALLS, EPERM, SELF, Answer, Call, Test

# From linux/bpf_common.h, linux/seccomp.h and linux/audit.h.
LOAD: Final = 0x20  # a word of struct seccomp_data, by its offset
AND: Final = 0x54
JUMP: Final = 0x05
IF_EQUAL: Final = 0x15
IF_AT_LEAST: Final = 0x35
RETURN: Final = 0x06
FAR: Final = 255  # the most instructions that a conditional jump can skip

NUMBER_AT: Final = 0
PROCESSOR_AT: Final = 4
ARGUMENTS_AT: Final = 16  # of 8 bytes each, the lower half first on both processors
KILL_PROCESS: Final = 0x80000000
ERRNO: Final = 0x00050000
ALLOWED: Final = 0x7FFF0000
PROCESSORS: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32: Final = 0x40000000  # numbers from here are x86_64's other calling convention; nothing of ours uses it


class Instruction(NamedTuple):
    code: int
    value: int
    if_true: int = 0
    if_false: int = 0


class Filter(NamedTuple):
    """A program, and where in it a runner's own process number is to be filled in."""

    program: tuple[Instruction, ...]
    holes: tuple[int, ...]

    def packed(self) -> bytes:
        """As an array of struct sock_filter."""
        return b"".join(pack("=HBBI", i.code, i.if_true, i.if_false, i.value & 0xFFFFFFFF) for i in self.program)


Code = list[Instruction]


def build(processor: str, calls: Sequence[Call] = CALLS) -> Filter:
    """The filter for a processor, as `os.uname` names it. Raises KeyError for one that is not known here."""
    numbered = {number: call for call in calls if (number := getattr(call, processor)) is not None}
    program = [
        Instruction(LOAD, PROCESSOR_AT),
        Instruction(IF_EQUAL, PROCESSORS[processor], 1, 0),
        Instruction(RETURN, KILL_PROCESS),
        Instruction(LOAD, NUMBER_AT),
        Instruction(IF_AT_LEAST, X32, 0, 1),
        Instruction(RETURN, KILL_PROCESS),
        *_choice(_ranges(numbered)),
    ]
    return Filter(tuple(program), tuple(at for at, found in enumerate(program) if found.value == SELF))


def _ranges(numbered: dict[int, Call]) -> list[tuple[int, Code]]:
    """What to do from which number on."""
    ranges: list[tuple[int, Code]] = [(0, _answer(EPERM))]
    for number in sorted(numbered):
        for start, code in ((number, _judge(numbered[number])), (number + 1, _answer(EPERM))):
            if ranges[-1][0] == start:
                ranges.pop()
            if not ranges or ranges[-1][1] != code:
                ranges.append((start, code))
    return ranges


def _choice(ranges: list[tuple[int, Code]]) -> Code:
    if len(ranges) == 1:
        return ranges[0][1]
    half = len(ranges) // 2
    below, above = _choice(ranges[:half]), _choice(ranges[half:])
    start = ranges[half][0]
    if len(below) <= FAR:
        return [Instruction(IF_AT_LEAST, start, len(below), 0), *below, *above]
    return [Instruction(IF_AT_LEAST, start, 0, 1), Instruction(JUMP, len(below)), *below, *above]


def _judge(call: Call) -> Code:
    """All tests, each of which ends in the other answer if it fails."""
    code: Code = []
    for test in call.tests:
        code += _test(test, _answer(call.otherwise))
    return code + _answer(call.answer)


def _test(test: Test, failed: Code) -> Code:
    """Falls through if it holds."""
    at = ARGUMENTS_AT + 8 * test.argument
    code: Code = []
    if test.wide:
        code += [Instruction(LOAD, at + 4), Instruction(IF_EQUAL, 0, len(failed), 0), *failed]
    code.append(Instruction(LOAD, at))
    if test.ignoring:
        code.append(Instruction(AND, 0xFFFFFFFF & ~test.ignoring))
    for number, value in enumerate(test.values, 1):
        code.append(Instruction(IF_EQUAL, value, len(test.values) - number + len(failed), 0))
    return code + failed


def _answer(answer: Answer) -> Code:
    if answer.kill:
        return [Instruction(RETURN, KILL_PROCESS)]
    return [Instruction(RETURN, ERRNO | answer.error if answer.error else ALLOWED)]
