"""How long to wait before trying again: doubling, capped, jittered. Pure: the caller brings the chance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with a cap and "equal jitter": half of the step is fixed, half is left to chance.

    The fixed half keeps a crash loop from spinning; the random half keeps a thousand peers that lost one
    server from coming back in the same instant.
    """

    first_s: float = 0.1
    cap_s: float = 30.0
    factor: float = 2.0

    def delay_s(self, attempt: int, chance: float) -> float:
        """Seconds to wait before try number `attempt` (1 is the first retry); `chance` is in [0, 1)."""
        if attempt < 1:
            return 0.0
        # 64 doublings are past any cap, and past what a float's exponent should be asked for.
        step = min(self.cap_s, self.first_s * self.factor ** min(attempt - 1, 64))
        return step * (0.5 + 0.5 * chance)
