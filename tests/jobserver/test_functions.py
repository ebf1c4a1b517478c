"""The functions a job server knows."""

from __future__ import annotations

import pytest

from fleet.jobserver.functions import Functions
from fleet.jobserver.refusal import Refusal
from fleet.settings import ServerLimits


def test_w11_a_name_has_no_nul_because_it_would_end_there_in_a_packet() -> None:
    functions = Functions(ServerLimits())
    with pytest.raises(Refusal, match="no NUL"):
        functions.named(b"resize\0twice")
    assert not functions


def test_the_function_of_a_kept_job_is_never_refused() -> None:
    """Nobody is there to be told, and the job would be lost."""
    functions = Functions(ServerLimits(functions=1))
    functions.named(b"f").running = 1
    with pytest.raises(Refusal, match="1 functions"):
        functions.named(b"g")
    kept = functions.kept(b"g")
    assert functions.named(b"g") is functions.kept(b"g") is kept
