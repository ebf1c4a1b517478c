"""When a job comes again: five fields, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.jobserver.refusal import Refusal
from fleet.jobserver.schedule import FIELDS, Schedule


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


@pytest.mark.parametrize(
    ("fields", "now", "then"),
    [
        ("* * * * *", "2026-11-25 12:00:00", "2026-11-25 12:01:00"),
        ("* * * * *", "2026-11-25 12:00:59", "2026-11-25 12:01:00"),
        ("30 4 * * *", "2026-11-25 04:29:59", "2026-11-25 04:30:00"),
        ("30 4 * * *", "2026-11-25 04:30:00", "2026-11-26 04:30:00"),
        ("*/15 * * * *", "2026-11-25 04:46:00", "2026-11-25 05:00:00"),
        ("0,30 8-9 * * *", "2026-11-25 08:31:00", "2026-11-25 09:00:00"),
        ("50-59/5 * * * *", "2026-11-25 08:51:00", "2026-11-25 08:55:00"),
        ("10/20 * * * *", "2026-11-25 08:31:00", "2026-11-25 08:50:00"),
        ("0 0 1 1 *", "2026-11-25 08:00:00", "2027-01-01 00:00:00"),
        ("0 0 * * 0", "2026-11-25 08:00:00", "2026-11-30 00:00:00"),  # 0 is Monday
        ("0 0 * * 6", "2026-11-25 08:00:00", "2026-11-29 00:00:00"),
        ("0 0 31 * *", "2026-11-25 08:00:00", "2026-12-31 00:00:00"),
        ("0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),  # 2100 is no leap year
        ("0 0 28 * 0", "2026-11-25 08:00:00", "2026-11-28 00:00:00"),  # by its date
        ("0 0 29 * 5", "2026-11-25 08:00:00", "2026-11-28 00:00:00"),  # or by its weekday
        ("59 23 31 12 *", "2026-12-31 23:59:00", "2027-12-31 23:59:00"),
    ],
)
def test_the_next_time(fields: str, now: str, then: str) -> None:
    assert Schedule.read(fields).after(at(now)) == at(then)


def test_an_empty_field_is_any() -> None:
    assert Schedule(["5", "", "", " ", ""]).text == "5 * * * *"


@pytest.mark.parametrize("position", range(5), ids=[name for name, *_ in FIELDS])
@pytest.mark.parametrize(
    "field", ["60", "-1", "abc", "1-", "5-3", "*/0", "1,,2", "1.5", "١", "99999999999", "1," * 200]
)
def test_w23_a_field_that_makes_no_sense_is_refused_with_what_it_may_be(position: int, field: str) -> None:
    fields = ["*"] * 5
    fields[position] = field
    with pytest.raises(Refusal, match=f"{FIELDS[position][0]} is "):
        Schedule(fields)


@pytest.mark.parametrize("fields", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_w23_a_day_that_never_comes_is_refused(fields: str) -> None:
    with pytest.raises(Refusal, match="no such day"):
        Schedule.read(fields)


@pytest.mark.parametrize("text", ["", "* * * *", "* * * * * *", "@daily"])
def test_a_text_of_more_or_fewer_fields_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="five fields, minute hour mday month wday, not "):
        Schedule.read(text)


def test_w23_month_13_is_refused() -> None:
    with pytest.raises(Refusal, match="month is "):
        Schedule.read("0 0 1 13 *")


@given(
    st.tuples(*(st.sampled_from(["*", str(least), str(most), f"{least}-{most}", "*/3"]) for _, least, most in FIELDS)),
    st.integers(0, 4_000_000_000),
)
def test_the_next_time_fits_is_later_and_has_none_before_it(fields: tuple[str, ...], now: int) -> None:
    try:
        schedule = Schedule(fields)
    except Refusal:
        return
    then = schedule.after(now)
    assert then > now
    assert then % 60 == 0
    assert schedule.after(then - 1) == then
    assert schedule.after((now + then) // 2) in (then, schedule.after(then))
    found = datetime.fromtimestamp(then, UTC)
    assert fields[0] in ("*", "0-59", "*/3") or str(found.minute) == fields[0]
    assert fields[3] in ("*", "1-12", "*/3") or str(found.month) == fields[3]
