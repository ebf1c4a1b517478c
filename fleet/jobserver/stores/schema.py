"""The SQLite store's tables, and how an older file becomes one of today. Pure: this is text.

The workload stands last in its row, so that what is read without it does not touch the pages that hold it.
"""

from __future__ import annotations

from typing import Final

_JOB_1: Final = """
    id INTEGER PRIMARY KEY,                 -- the order of arrival
    handle BLOB NOT NULL UNIQUE,
    function INTEGER NOT NULL REFERENCES function (id),
    uniq BLOB NOT NULL,
    key BLOB,                               -- NULL: nothing coalesces with it
    priority INTEGER NOT NULL,
    reducer BLOB NOT NULL,
    submitted INTEGER NOT NULL,             -- seconds since 1970, as all times here
    run_at INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    errors TEXT NOT NULL,                   -- a JSON array
    ended INTEGER NOT NULL,                 -- when it came into the dead letter
    checksum INTEGER NOT NULL,              -- see rows.py
    workload BLOB NOT NULL
"""
_INDEXES: Final = """
    CREATE UNIQUE INDEX job_key ON job (function, key) WHERE key IS NOT NULL;
    CREATE INDEX job_ready ON job (function, priority, id) WHERE run_at = 0;
    CREATE INDEX job_waiting ON job (run_at, id) WHERE run_at > 0;
"""
_EXPIRES: Final = "CREATE INDEX job_expires ON job (expires) WHERE expires > 0"
_COLUMNS_1: Final = (
    "handle, function, uniq, key, priority, reducer, submitted, run_at, expires, max_attempts, failures, deaths, errors"
)
_ENDED: Final = "    ended INTEGER"
_JOB_2: Final = _JOB_1.replace(_ENDED, f"    schedule TEXT NOT NULL,                 -- empty: it comes once\n{_ENDED}")
COLUMNS: Final = f"{_COLUMNS_1}, schedule"
SELECT: Final = f"SELECT id, {COLUMNS}, ended, checksum, workload FROM job"
ROW: Final = f"({', '.join('?' * 18)})"
INSERT: Final = f"INSERT INTO {{}} (id, {COLUMNS}, ended, checksum, workload) VALUES {ROW}"

# One text for each version; a file of version N has had the first N of them.
MIGRATIONS: Final = (
    f"""
    CREATE TABLE function (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
    CREATE TABLE job ({_JOB_1});
    {_INDEXES}
    CREATE TABLE dead ({_JOB_1});
    CREATE TABLE result (
        handle BLOB PRIMARY KEY,
        function BLOB NOT NULL,
        key BLOB NOT NULL,
        end TEXT NOT NULL,
        data BLOB NOT NULL,
        ended INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX result_key ON result (function, key, ended) WHERE key <> x'';
    CREATE INDEX result_until ON result (until);
    CREATE INDEX result_ended ON result (ended);
    """,
    _EXPIRES,
    f"""
    ALTER TABLE job RENAME TO job_1;
    ALTER TABLE dead RENAME TO dead_1;
    CREATE TABLE job ({_JOB_2});
    CREATE TABLE dead ({_JOB_2});
    INSERT INTO job SELECT id, {_COLUMNS_1}, '', ended, checksum, workload FROM job_1;
    INSERT INTO dead SELECT id, {_COLUMNS_1}, '', ended, checksum, workload FROM dead_1;
    DROP TABLE job_1;
    DROP TABLE dead_1;
    {_INDEXES}
    {_EXPIRES};
    """,
)

# How many jobs the dead letter has, and the bytes of their workloads: in memory, this connection's own, and counted
# anew at each start, so that no damage to the file ever makes it too many.
WEIGHT: Final = """
    PRAGMA temp_store = MEMORY;
    CREATE TEMP TABLE weight AS
        SELECT count(*) AS jobs, coalesce(sum(length(workload)), 0) AS bytes FROM dead;
    CREATE TEMP TRIGGER buried AFTER INSERT ON main.dead BEGIN
        UPDATE weight SET jobs = jobs + 1, bytes = bytes + coalesce(length(NEW.workload), 0);
    END;
    CREATE TEMP TRIGGER exhumed AFTER DELETE ON main.dead BEGIN
        UPDATE weight SET jobs = jobs - 1, bytes = bytes - coalesce(length(OLD.workload), 0);
    END;
"""
