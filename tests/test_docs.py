"""What the documentation says of the options is what they are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from fleet.images import Spec
from tests.conftest import SAMPLES

DOCS = Path(__file__).parents[1] / "docs"
REMEDY = "run: python samples/images/contact_sheet.py --docs docs"


def test_the_schema_in_the_docs_is_the_specs() -> None:
    assert json.loads((DOCS / "spec.schema.json").read_text()) == json.loads(json.dumps(Spec.schema())), REMEDY


@pytest.mark.parametrize("part", ["table", "metadata"])
def test_the_tables_of_options_and_metadata_say_what_is(part: str) -> None:
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import contact_sheet; print(contact_sheet.{part}(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(SAMPLES)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout in (DOCS / "images.md").read_text(), REMEDY


def test_every_option_that_can_be_seen_has_a_picture() -> None:
    unseen = {"width", "height", "accept", "progressive", "engine"}
    cells = "\n".join(line for line in (DOCS / "images.md").read_text().splitlines() if line.startswith("| !["))
    assert {field.name for field in fields(Spec) if not re.search(rf"\b{field.name}\b", cells)} == unseen


def test_every_picture_that_is_shown_is_there_and_they_are_small() -> None:
    shown = re.findall(r"\(images/([^)]+)\)", (DOCS / "images.md").read_text())
    assert len(shown) >= 20
    there = {path.name: path.stat().st_size for path in (DOCS / "images").iterdir()}
    assert set(shown) <= set(there)
    assert sum(there.values()) < 1_000_000
