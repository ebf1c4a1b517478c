"""An asynchronous queue: counts views in a database. Usage: python views_worker.py DATABASE [HOST:PORT]

A job whose worker died after it had done it, and before it could say so, comes again: what was counted is remembered by
the job's handle, in the same transaction.
"""

import sqlite3
import sys

from fleet import Job, Worker

path, *servers = sys.argv[1:]
database = sqlite3.connect(path)
database.execute("CREATE TABLE IF NOT EXISTS counted (job TEXT PRIMARY KEY)")
database.execute("CREATE TABLE IF NOT EXISTS views (page TEXT PRIMARY KEY, views INTEGER NOT NULL)")


def view(job: Job) -> None:
    page = job.workload.decode()
    with database:
        if database.execute("INSERT OR IGNORE INTO counted VALUES (?)", (job.handle,)).rowcount:
            database.execute("INSERT INTO views VALUES (?, 1) ON CONFLICT DO UPDATE SET views = views + 1", (page,))


Worker(servers or None).register("view", view).work()
