"""Jobs that killed their runners, and are refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.workers.denials import Denials

DAY = 24 * 3600 * 1_000_000_000


def test_m56_the_same_workload_of_the_same_function_is_refused_for_a_day() -> None:
    denials = Denials()
    denials.add("resize", b"bad", "it crashed", 5)
    assert denials.reason("resize", memoryview(b"bad"), 6) == "it crashed"
    assert denials.reason("resize", b"bad", DAY + 4) == "it crashed"
    assert denials.reason("resize", b"bad", DAY + 5) is None
    assert len(denials) == 0


def test_others_are_not() -> None:
    denials = Denials()
    denials.add("resize", b"bad", "it crashed", 0)
    assert denials.reason("resize", b"bed", 0) is None, "of the same size"
    assert denials.reason("resize", b"bad!", 0) is None
    assert denials.reason("thumbnail", b"bad", 0) is None


def test_one_that_does_it_again_is_refused_anew_and_counts_once() -> None:
    denials = Denials()
    denials.add("resize", b"bad", "it crashed", 0)
    denials.add("resize", b"bad", "it hung", DAY - 1)
    assert len(denials) == 1
    assert denials.reason("resize", b"bad", DAY) == "it hung"


@given(st.lists(st.tuples(st.binary(max_size=2), st.integers(0, 50)), max_size=60))
def test_the_newest_are_kept_and_no_more(added: list[tuple[bytes, int]]) -> None:
    """Whatever is added and asked, in any order of sizes: as one would with a list."""
    denials, kept = Denials(most=5, for_ns=20), dict[bytes, int]()
    now = 0
    for workload, later in added:
        now += later
        denials.add("f", workload, "why", now)
        kept.pop(workload, None)
        if len(kept) == 5:
            kept.pop(next(iter(kept)))
        kept[workload] = now
        for known in [b"", b"a", *kept]:
            there = known in kept and now - kept[known] < 20
            assert (denials.reason("f", known, now) is not None) == there
            if known in kept and not there:
                del kept[known]
        assert len(denials) == len(kept)
