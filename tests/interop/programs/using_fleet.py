"""fleet's own client and worker. Usage: python using_fleet.py worker HOST PORT | client HOST PORT CHECK..."""

import sys
from collections.abc import Callable

from fleet import Client, Job, Worker
from fleet.client import Status, Task
from fleet.errors import JobFailed


def data(job: Job) -> str:
    job.send_data("a")
    job.send_data("b")
    return "c"


def status(job: Job) -> None:
    job.send_status(50, 100)


def warning(job: Job) -> None:
    job.send_warning("careful")


def fail(job: Job) -> None:
    raise JobFailed


def exception(job: Job) -> None:
    raise RuntimeError("boom")


def work(server: str) -> None:
    worker = Worker(server).register("reverse", lambda job: job.workload[::-1])
    for function in (data, status, warning, fail, exception):
        worker.register(function.__name__, function)
    worker.work()


def ended(task: Task) -> str:
    """How the task ended that was to fail."""
    try:
        return f"completed with {task.result()!r}"
    except JobFailed as error:
        return "failed" if str(error) == JobFailed.__doc__ else str(error)


def queued(status: Status) -> str:
    return "queued" if status.known and not status.running else "lost"


def watched(client: Client, function: str) -> Task:
    task = client.submit(function)
    task.result()
    return task


CHECKS: dict[str, Callable[[Client], str]] = {
    "reverse": lambda client: client.run("reverse", "Hello World!").decode(),
    "high": lambda client: client.run("reverse", "high", priority="high").decode(),
    "low": lambda client: client.run("reverse", "low", priority="low").decode(),
    "background": lambda client: queued(client.submit("nobody", background=True).status()),
    "data": lambda client: b"".join(client.submit("data").stream()).decode(),
    "status": lambda client: "{}/{}".format(*watched(client, "status").progress),
    "warning": lambda client: b"".join(watched(client, "warning").warnings).decode(),
    "fail": lambda client: ended(client.submit("fail")),
    "exception": lambda client: ended(client.submit("exception")),
}

if __name__ == "__main__":
    role, host, port, *checks = sys.argv[1:]
    if role == "worker":
        work(f"{host}:{port}")
    with Client(f"{host}:{port}", timeout=20) as client:
        for check in checks:
            print(f"{check}: {CHECKS[check](client)}", flush=True)
