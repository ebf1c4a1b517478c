"""A supervisor to test as a process: `driver.py '{"parts": [...], "policy": {...}}'`."""

from __future__ import annotations

import json
import sys

from fleet.backoff import Backoff
from fleet.supervisor import Part, Policy, Supervisor


def main() -> int:
    told = json.loads(sys.argv[1])
    policy = Policy(backoff=Backoff(first_s=0.05, cap_s=0.2), **told["policy"])
    parts = [Part(**{**part, "argv": tuple(part["argv"]), "needs": tuple(part["needs"])}) for part in told["parts"]]
    return Supervisor(parts, policy=policy).run()


if __name__ == "__main__":
    sys.exit(main())
