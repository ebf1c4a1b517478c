"""Every sample, and what every engine opens, comes out of a sandboxed runner exactly as it does without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import Client
from fleet.images import Spec, render
from fleet.images.engines import router
from fleet.images.sniff import FORMATS
from fleet.settings import Address
from tests.images.builders import FILES, sample, saved
from tests.images.engines.engines import EVERYTHING, engine, heic, kitten, psd
from tests.processes import FLEET, LIMIT_S, Program

pytestmark = pytest.mark.system

SOURCES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: sample("orientation-6.jpg"),
    "png": lambda: saved(kitten((1200, 900)), "png"),
    "webp": lambda: sample("kitten.webp"),
    "gif": lambda: sample("animated.gif"),
    "avif": lambda: sample("kitten.avif"),
    "tiff": lambda: saved(kitten(), "tiff", compression="tiff_lzw"),
    "heic": lambda: heic(kitten(), quality=90),
    "psd": lambda: psd(kitten()),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30"><circle r="20" fill="#0080ff"/></svg>',
}


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_the_sandbox_changes_no_pixel(fleet_of_two: Address, format: str) -> None:
    with Client(fleet_of_two, timeout=60) as client:
        for name in FILES:
            made = client.resize(sample(name), 64, 48, format=format).result()
            assert made.data == render(sample(name), Spec(64, 48, format=format)).data, name


@pytest.fixture
def open_to_all(spawn: Callable[..., Program], server: Address, tmp_path: Path) -> Iterator[Client]:
    """A client of a pool whose settings let every format be opened."""
    formats = ", ".join(f'"{format}"' for format in FORMATS)
    (tmp_path / "fleet.toml").write_text(f"[images]\nformats = [{formats}]\n")
    where = {"FLEET_CONFIG": str(tmp_path / "fleet.toml")}
    pool = spawn(*FLEET, "worker", "--workers", "2", "--servers", str(server), env=where)
    assert "resize" in pool.out.line()
    with Client(server, timeout=LIMIT_S) as client:
        yield client


def test_every_engine_works_in_the_sandbox_on_every_format_it_opens(open_to_all: Client) -> None:
    assert set(SOURCES) == set(FORMATS)
    for format, openers in router.ORDER.items():
        data = SOURCES[format]()
        for name in openers:
            engine(name)
            options: dict[str, Any] = {"width": 160, "height": 120, "format": "png", "engine": name}
            made = open_to_all.resize(data, **options).result()
            assert made.data == render(data, Spec.from_mapping(options), EVERYTHING).data, (format, name)
            assert made.facts
            assert made.facts.engine == name


def test_libvips_resamples_in_the_sandbox_what_another_engine_opened(open_to_all: Client) -> None:
    engine("vips")
    data = saved(kitten((1200, 900)), "webp", quality=80)
    assert open_to_all.resize(data, 500, 375, format="png").result().data == render(data, Spec(500, 375, format="png"))
