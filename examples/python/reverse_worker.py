"""The talk's hello world: a worker in Python. Usage: python reverse_worker.py [HOST:PORT]"""

import sys

from fleet import Job, Worker


def reverse(job: Job) -> bytes:
    return job.workload[::-1]


Worker(sys.argv[1] if len(sys.argv) > 1 else None).register("reverse", reverse).work()
