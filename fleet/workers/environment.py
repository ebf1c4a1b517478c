"""What a zygote, and with it every runner, has of its pool's environment. Pure.

Rule: a variable is let through by its name or not at all. What a decoder that was taken over can read must not be the
password of a database: it lies in the memory of every process that was ever started with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

# What says how programs and libraries behave, and is nobody's secret.
NAMES: Final = frozenset({"HOME", "LANG", "LANGUAGE", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"})
PREFIXES: Final = ("FONTCONFIG_", "LC_", "LD_", "MAGICK_", "MALLOC_", "OMP_", "PYTHON", "VIPS_")
# One thread for each library that would take more, few heaps, and freed memory kept: a runner is one of many.
DEFAULTS: Final = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "268435456"}


def for_runners(whole: Mapping[str, str], also: Collection[str] = ()) -> dict[str, str]:
    """The part of an environment that they have; `also` are names that are let through besides."""
    kept = {name: value for name, value in whole.items() if name in NAMES or name in also or name.startswith(PREFIXES)}
    return DEFAULTS | kept
