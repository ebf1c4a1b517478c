"""Watermarks on the command line: with --local the path of a picture will do in place of a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from fleet.cli.files import read
from fleet.errors import UsageError

if TYPE_CHECKING:
    from fleet.config import Config

NAME: Final = "local"  # of the one whose path was given


def marks(options: dict[str, Any], settings: Config) -> dict[str, bytes]:
    """All watermarks that may be used here; a path among the options becomes the name of one.

    Raises:
        UsageError: it is neither a file nor a name, or cannot be read.
    """
    found, wanted = settings.marks(), options.get("watermark")
    if wanted and wanted not in found:
        if not os.path.exists(wanted):
            raise UsageError(f"there is no file {wanted}, and no watermark of that name in the settings")
        found[NAME], options["watermark"] = read(wanted), NAME
    return found
