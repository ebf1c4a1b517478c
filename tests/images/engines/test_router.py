"""Which engine opens a picture."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fleet.errors import BadImage, BadSpec
from fleet.images import Header, Spec, render
from fleet.images.engines import router
from fleet.images.sniff import FORMATS
from fleet.images.spec import ENGINES
from tests.images.builders import sample, small
from tests.images.engines.engines import engine


def test_every_format_has_an_engine_and_every_engine_a_name() -> None:
    assert set(router.ORDER) == set(FORMATS)
    assert set(router.ENGINES) == set(ENGINES)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_opens_what_the_router_thinks_it_does(name: str) -> None:
    found = engine(name)
    assert found.name == name
    assert {format for format, order in router.ORDER.items() if name in order} <= found.formats


def test_libvips_gets_what_is_large_enough_to_be_worth_it() -> None:
    engine("vips")
    assert router.engine_for(Header("png", 1200, 900)).name == "vips"
    assert router.engine_for(Header("png", 600, 450)).name == "pillow"


@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "gif", "avif"])
def test_pillow_opens_the_common_formats_where_nothing_else_is_installed(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = router.load
    monkeypatch.setattr(router, "load", lambda name: load(name) if name == "pillow" else "it is not here")
    assert router.engine_for(Header(format, 4000, 3000)).name == "pillow"


def test_without_its_engine_a_format_is_unsupported_and_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(router, "load", lambda name: f"it needs gearfleet[{name}] where the pictures are made")
    with pytest.raises(BadImage, match=r"HEIC cannot be opened here: it needs gearfleet\[heif\]") as caught:
        router.engine_for(Header("heic", 40, 30))
    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("name", ["pillow", "vips"])
def test_the_engine_can_be_chosen_and_is_told(name: str) -> None:
    engine(name)
    made = render(sample("kitten.png"), Spec(engine=name))
    assert made.facts is not None
    assert made.facts.engine == name


def test_an_engine_that_cannot_open_the_format_is_refused() -> None:
    with pytest.raises(BadSpec, match="engine=wand does not open JPEG; pillow and vips can"):
        render(small("jpeg"), Spec(engine="wand"))


def test_an_engine_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "load", lambda name: "it needs gearfleet[vips] where the pictures are made")
    with pytest.raises(BadSpec, match="engine=vips cannot be used here"):
        render(small("jpeg"), Spec(engine="vips"))


def test_a_jpeg_loads_no_library_but_pillow() -> None:
    script = """
import sys
from fleet.images import render
render(sys.stdin.buffer.read())
print(sorted({name.partition(".")[0] for name in sys.modules} & {"pyvips", "wand", "pillow_heif"}))
"""
    done = subprocess.run([sys.executable, "-c", script], input=small("jpeg"), capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_warming_up_starts_no_thread() -> None:
    """A zygote forks, and a thread does not live on in the child."""
    script = """
import os
from fleet.images.engines import router
router.warm_up()
print(len(os.listdir("/proc/self/task")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_warming_up_loads_no_library_that_the_formats_have_no_use_for() -> None:
    """A fork pays for what it does not use, too."""
    engine("wand")
    script = """
import sys
from fleet.images import Limits, pipeline
pipeline.warm_up(Limits().formats)
print("wand" in sys.modules, "PIL" in sys.modules)
pipeline.warm_up([*Limits().formats, "psd"])
print("wand" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]
