"""A pool of the functions in `hostile`, as a process:

python -m tests.workers.pool SERVER SLOTS [sandbox=WORD] [isolation=WORD] [LIMIT=VALUE...]
"""

from __future__ import annotations

import sys
from typing import Any

from fleet.settings import Containment, PoolLimits, parse_servers
from fleet.workers.pool import run_pool
from tests.workers.hostile import FUNCTIONS

server, slots, *limits = sys.argv[1:]
numbers: dict[str, Any] = {}
words: dict[str, Any] = {}
for word in limits:
    name, _, value = word.partition("=")
    if name in ("sandbox", "isolation"):
        words[name] = value
        continue
    numbers[name] = float(value) if name.endswith("_s") else int(value)
sys.exit(
    run_pool(
        parse_servers(server),
        int(slots),
        functions=FUNCTIONS,
        limits=PoolLimits(**numbers),
        containment=Containment(**words),
    )
)
