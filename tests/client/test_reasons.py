"""What a client says when nothing came."""

from __future__ import annotations

import pytest

from fleet.client.admin import FunctionStatus
from fleet.client.reasons import late

THUMBS = [FunctionStatus(f"thumb.{name}", 0, 0, 1) for name in ("avatars", "avatar", "x" * 20)]
MANY = [FunctionStatus(f"f{number:02}", 0, 0, 1) for number in range(12)]


@pytest.mark.parametrize(
    ("function", "functions", "said"),
    [
        (b"f", [], "no worker has registered 'f' there (nor any other function)"),
        (b"f", [FunctionStatus("f", 1, 0, 0)], "no worker has registered 'f' there (nor any other function)"),
        (b"f", [FunctionStatus("g", 0, 0, 1)], "no worker has registered 'f' there (functions there: g)"),
        (b"g", MANY, ", f08, f09 and 2 more)"),
        (b"resise", [*MANY, FunctionStatus("resize", 0, 0, 1)], "'resise' there (did you mean resize?)"),
        (b"thumb.avatr", THUMBS, "(did you mean thumb.avatar or thumb.avatars?)"),
        (b"resise", [FunctionStatus("resize", 3, 0, 0)], "(nor any other function)"),
        (b"f", [FunctionStatus("f", 9, 2, 2)], "it has 2 workers there for 9 jobs; "),
        ("À".encode(), [FunctionStatus("\ufffd\\x80", 1, 1, 1)], "it has 1 worker there for 1 job; "),
        ("é".encode(), [FunctionStatus("é", 1, 1, 1)], "it has 1 worker there for 1 job; "),
    ],
)
def test_a_late_job_is_told_whether_a_worker_is_there(
    function: bytes, functions: list[FunctionStatus], said: str
) -> None:
    assert said in late(function, functions)
