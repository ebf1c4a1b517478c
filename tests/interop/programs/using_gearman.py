"""The python-gearman family: pygearman, py3gearman and python3-gearman, forks of one library with small differences.

Usage: python using_gearman.py MODULE worker HOST PORT | MODULE client HOST PORT CHECK...
"""

import sys
from importlib import import_module

module, role, host, port, *checks = sys.argv[1:]
gearman = import_module(module)
constants = import_module(f"{module}.constants")
BYTES = module == "gearman"  # pygearman names its functions in bytes; the others in text


def name(text):
    return text.encode() if BYTES else text


def as_text(data):
    return data.decode() if isinstance(data, bytes) else data


class Worker(gearman.GearmanWorker):
    def on_job_exception(self, job, error):
        """Send the exception's text; the library would only say that the job failed."""
        if text := str(error[1]):
            self.send_job_exception(job, name(text))
            return False
        return super().on_job_exception(job, error)


def data(worker, job):
    worker.send_job_data(job, name("a"))
    worker.send_job_data(job, name("b"))
    return name("c")


def status(worker, job):
    worker.send_job_status(job, 50, 100)
    return name("")


def warning(worker, job):
    worker.send_job_warning(job, name("careful"))
    return name("")


def fail(worker, job):
    raise RuntimeError


def exception(worker, job):
    raise RuntimeError("boom")


def work(worker):
    worker.register_task(name("reverse"), lambda worker, job: job.data[::-1])
    for function in (data, status, warning, fail, exception):
        worker.register_task(name(function.__name__), function)
    worker.work()


def run(client, function, workload="", **how):
    request = client.submit_job(name(function), name(workload), background=False, poll_timeout=20.0, **how)
    assert request.complete, f"{function} did not end"
    return request


def background(client):
    request = client.submit_job(name("nobody"), name(""), background=True, wait_until_complete=False, poll_timeout=20.0)
    status = client.get_job_status(request, poll_timeout=20.0).status
    return "queued" if status["known"] and not status["running"] else "lost"


def pieces(request):
    return "".join(map(as_text, [*request.data_updates, request.result]))


CHECKS = {
    "reverse": lambda client: as_text(run(client, "reverse", "Hello World!").result),
    "high": lambda client: as_text(run(client, "reverse", "high", priority=constants.PRIORITY_HIGH).result),
    "low": lambda client: as_text(run(client, "reverse", "low", priority=constants.PRIORITY_LOW).result),
    "background": background,
    "data": lambda client: pieces(run(client, "data")),
    "status": lambda client: "{numerator}/{denominator}".format(**run(client, "status").status),
    "warning": lambda client: as_text(run(client, "warning").warning_updates[0]),
    "fail": lambda client: "failed" if run(client, "fail").state == constants.JOB_FAILED else "completed",
}

if role == "worker":
    work(Worker([f"{host}:{port}"]))
client = gearman.GearmanClient([f"{host}:{port}"])
for check in checks:
    print(f"{check}: {CHECKS[check](client)}", flush=True)
