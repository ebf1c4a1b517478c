"""Which server a task goes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.client.routing import Health, content_key, ranked
from fleet.settings import Address, ServerLimits

SERVERS = [Address("img1"), Address("img2"), Address("img3")]


@given(st.binary(max_size=64), st.permutations(SERVERS))
def test_the_order_depends_on_the_unique_and_not_on_how_the_servers_are_listed(
    unique: bytes, servers: list[Address]
) -> None:
    assert ranked(servers, unique) == ranked(SERVERS, unique)


@given(st.binary(max_size=64), st.sampled_from(SERVERS))
def test_a_lost_server_moves_only_its_own_share(unique: bytes, lost: Address) -> None:
    left = [server for server in SERVERS if server != lost]
    assert ranked(left, unique) == [server for server in ranked(SERVERS, unique) if server != lost]


@given(st.binary(), st.binary())
def test_equal_workloads_have_one_key_which_fits_a_packet(one: bytes, other: bytes) -> None:
    assert (content_key(one) == content_key(memoryview(other))) == (one == other)
    assert len(content_key(one)) <= ServerLimits.unique_bytes


def test_uniques_are_spread_evenly() -> None:
    first = [ranked(SERVERS, b"%d" % n)[0] for n in range(3000)]
    assert all(800 < first.count(server) < 1200 for server in SERVERS)


def test_a_server_that_failed_rests_longer_each_time_until_it_answers() -> None:
    health = Health()
    assert not health.resting(100.0)
    rests = []
    for _ in range(10):
        health.failed(100.0, 0.0, "connection refused")
        rests.append(health.retry_at - 100.0)
    assert rests == sorted(rests)
    assert rests[0] == pytest.approx(0.025)
    assert rests[-1] == pytest.approx(2.5)
    health.answered()
    assert not health.resting(100.0)
