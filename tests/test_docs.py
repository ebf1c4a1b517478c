"""What the documentation says of the options is what they are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from fleet.images import Spec
from tests.conftest import SAMPLES

DOCS = Path(__file__).parents[1] / "docs"
REMEDY = "run: python samples/images/contact_sheet.py --docs docs"


def test_the_schema_in_the_docs_is_the_specs() -> None:
    assert json.loads((DOCS / "spec.schema.json").read_text()) == json.loads(json.dumps(Spec.schema())), REMEDY


def test_the_table_of_options_is_the_specs() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import contact_sheet; print(contact_sheet.table(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(SAMPLES)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout in (DOCS / "images.md").read_text(), REMEDY


def test_every_picture_that_is_shown_is_there_and_they_are_small() -> None:
    shown = re.findall(r"\(images/([^)]+)\)", (DOCS / "images.md").read_text())
    assert len(shown) >= 20
    there = {path.name: path.stat().st_size for path in (DOCS / "images").iterdir()}
    assert set(shown) <= set(there)
    assert sum(there.values()) < 1_000_000
