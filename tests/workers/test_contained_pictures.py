"""Every sample comes out of a sandboxed runner exactly as it does without one."""

from __future__ import annotations

import pytest

from fleet import Client
from fleet.images import Spec, render
from fleet.settings import Address
from tests.images.builders import FILES, sample

pytestmark = pytest.mark.system


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_the_sandbox_changes_no_pixel(fleet_of_two: Address, format: str) -> None:
    with Client(fleet_of_two, timeout=60) as client:
        for name in FILES:
            made = client.resize(sample(name), 64, 48, format=format).result()
            assert made.data == render(sample(name), Spec(64, 48, format=format)).data, name
