"""What keeps a runner from everything but its picture. See `Sandbox`, and `offers` for what this kernel has of it."""

from fleet.workers.sandbox.sandbox import Offer, Sandbox, offers

__all__ = ["Offer", "Sandbox", "offers"]
