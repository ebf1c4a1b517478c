"""What is asked of a job server about the background jobs it keeps: functions that it answers itself.

Each is called like any other function, in the foreground, so every Gearman client can. docs/durability.md says what
they take and return.
"""

from __future__ import annotations

from typing import Final

SUBMIT: Final = "fleet.submit"  # submits a background job with more said about it than a packet can
RESULT: Final = "fleet.result"  # waits for a job, and returns its result
JOBS: Final = "fleet.jobs"  # lists, shows and cancels jobs
DEAD: Final = "fleet.dead"  # lists, shows, retries and purges what is in the dead letter
FUNCTIONS: Final = (SUBMIT, RESULT, JOBS, DEAD)

# The codes of ERROR packets that answer them.
NOT_FOUND: Final = "JOB_NOT_FOUND"  # there never was such a job here
GONE: Final = "RESULT_GONE"  # it ended, and how is not kept any more
NO_STORE: Final = "NO_STORE"  # this server keeps nothing

AT_ONCE_MOST: Final = 1000  # jobs in one answer, and handles in one request
