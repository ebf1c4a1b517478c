"""Workers: the SDK for functions of your own (`Worker`, `Job`), and the pool of image workers (`pool`).

>>> from fleet.workers import Worker
>>> Worker("127.0.0.1:4730").register("reverse", lambda job: job.workload[::-1]).work()     # doctest: +SKIP
"""

from fleet.workers.job import Job
from fleet.workers.worker import Worker

__all__ = ["Job", "Worker"]
