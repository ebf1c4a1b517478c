"""The soak, for a few seconds: `make soak` has the whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.processes import FLEET, Program
from tests.system.soak import UP, soak

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = 15


def test_at_full_load_answers_are_the_same_and_nothing_is_started_again_or_grows(spawn: Callable[..., Program]) -> None:
    fleet = spawn(*FLEET, *UP)
    said: list[str] = []
    assert soak(fleet, SECONDS, said.append) == [], said
    assert fleet.stop() == 0
