"""What a runner and its pool say to each other, without either."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.workers import channel
from fleet.workers.channel import BadRecord, Errand, Kind, Progress, Record, Records

ERRAND = Errand("resize", 12, 3_000_000)
RECORDS = st.builds(Record, st.sampled_from(Kind), st.binary(max_size=300))


def written(records: list[Record]) -> bytes:
    return b"".join(channel.head(record.kind, len(record.body)) + record.body for record in records)


def test_an_errand_and_a_progress_arrive_as_they_were_sent() -> None:
    (record,) = Records(1000).feed(channel.job(ERRAND))
    assert record.kind == Kind.JOB
    assert channel.errand(record.body) == ERRAND
    (record,) = Records(1000).feed(channel.status(Progress(1, 2**40)))
    assert channel.progress(record.body) == Progress(1, 2**40)


@given(st.lists(RECORDS, max_size=8), st.lists(st.integers(0, 2500), max_size=6))
def test_records_arrive_whole_however_the_stream_is_cut(records: list[Record], cuts: list[int]) -> None:
    stream, reader = written(records), Records(1 << 20)
    edges = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    assert [r for start, end in pairwise(edges) for r in reader.feed(stream[start:end])] == records


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_garbage_is_a_bad_record_or_waits_for_more(data: bytes) -> None:
    try:
        list(Records(100).feed(data))
    except BadRecord:
        pass


def test_no_more_than_allowed_is_held() -> None:
    with pytest.raises(BadRecord, match="more than a result may have"):
        list(Records(100).feed(channel.head(Kind.RESULT, 101)))
    reader = Records(100)
    assert len(list(reader.feed(written([Record(Kind.DATA, bytes(50))] * 2)))) == 2
    with pytest.raises(BadRecord, match="more than a result may have"):
        list(reader.feed(channel.head(Kind.DATA, 1)))


@pytest.mark.parametrize("body", [b"", bytes(15), bytes(17)])
def test_a_status_of_another_size_is_a_bad_record(body: bytes) -> None:
    with pytest.raises(BadRecord):
        channel.progress(body)
