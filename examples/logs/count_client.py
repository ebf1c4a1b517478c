"""Map/reduce over logs: the ten pages asked for most. Usage: python count_client.py PATTERN NAME,... [HOST:PORT]"""

import json
import sys

from fleet import Client

pattern, names, *servers = sys.argv[1:]
with Client(servers or None, timeout=30) as fleet:
    jobs = [fleet.submit(f"hits.{name}", pattern) for name in names.split(",")]  # all parts at once
    while len(jobs) > 1:  # then in pairs, these side by side as well, until one is left
        counts = [json.loads(job.result()) for job in jobs]
        jobs = [fleet.submit("merge", json.dumps(counts[at : at + 2])) for at in range(0, len(counts), 2)]
    pages = json.loads(jobs[0].result())
for page, count in sorted(pages.items(), key=lambda item: (-item[1], item[0]))[:10]:
    print(f"{count:8} {page}")
