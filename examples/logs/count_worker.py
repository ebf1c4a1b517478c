"""Map/reduce over logs: a worker beside each part. Usage: python count_worker.py NAME LOG_FILE [HOST:PORT]"""

import json
import sys
from collections import Counter

from fleet import Job, Worker

name, log_file, *servers = sys.argv[1:]


def hits(job: Job) -> str:
    """Map: how often each page of this part was asked for. The log stays where it is; only counts travel."""
    pattern = job.workload.decode()
    with open(log_file, errors="replace") as log:
        requests = (line.split() for line in log if pattern in line)
        return json.dumps(Counter(words[6] for words in requests if len(words) > 6))


def merge(job: Job) -> str:
    """Reduce: several counts become one. Whichever worker is free does it."""
    return json.dumps(sum(map(Counter, json.loads(job.workload)), Counter[str]()))


Worker(servers or None).register(f"hits.{name}", hits).register("merge", merge).work()
