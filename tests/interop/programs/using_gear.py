"""OpenStack's gear. Usage: python using_gear.py worker HOST PORT | client HOST PORT CHECK..."""

import sys
from threading import Event

import gear


class Watched(gear.Client):
    """A client that tells when a job has ended, and when its status has come."""

    def submit(self, function, workload=b"", **how):
        job = gear.Job(function, workload)
        job.ended, job.told = Event(), Event()
        self.submitJob(job, **how)
        return job

    def run(self, function, workload=b"", **how):
        job = self.submit(function, workload, **how)
        assert job.ended.wait(20), f"{function} did not end"
        return job

    def handleWorkComplete(self, packet):
        super().handleWorkComplete(packet).ended.set()

    def handleWorkFail(self, packet):
        super().handleWorkFail(packet).ended.set()

    def handleWorkException(self, packet):
        super().handleWorkException(packet).ended.set()

    def handleStatusRes(self, packet):
        super().handleStatusRes(packet).told.set()


def work(host, port):
    worker = gear.Worker("gear")
    worker.addServer(host, port)
    worker.waitForServer()
    for function in FUNCTIONS:
        worker.registerFunction(function)
    while True:
        job = worker.getJob()
        FUNCTIONS[job.name](job)


def data(job):
    job.sendWorkData(b"a")
    job.sendWorkData(b"b")
    job.sendWorkComplete(b"c")


def status(job):
    job.sendWorkStatus(50, 100)
    job.sendWorkComplete()


def warning(job):
    job.sendWorkWarning(b"careful")
    job.sendWorkComplete()


FUNCTIONS = {
    "reverse": lambda job: job.sendWorkComplete(job.arguments[::-1]),
    "data": data,
    "status": status,
    "warning": warning,
    "fail": lambda job: job.sendWorkFail(),
    "exception": lambda job: job.sendWorkException(b"boom"),
}


def text_of(job):
    return b"".join(job.data).decode()


def background(client):
    job = client.submit("nobody", background=True)
    job.connection.sendPacket(gear.Packet(gear.constants.REQ, gear.constants.GET_STATUS, job.handle))
    assert job.told.wait(20), "no status came"
    return "queued" if job.known and not job.running else "lost"


def status_of(job):
    return b"/".join((job.numerator, job.denominator)).decode()


CHECKS = {
    "reverse": lambda client: text_of(client.run("reverse", b"Hello World!")),
    "high": lambda client: text_of(client.run("reverse", b"high", precedence=gear.PRECEDENCE_HIGH)),
    "low": lambda client: text_of(client.run("reverse", b"low", precedence=gear.PRECEDENCE_LOW)),
    "background": background,
    "data": lambda client: text_of(client.run("data")),
    "status": lambda client: status_of(client.run("status")),
    "warning": lambda client: text_of(client.run("warning")),
    "fail": lambda client: "failed" if client.run("fail").failure else "completed",
    "exception": lambda client: client.run("exception").exception.decode(),
}

if __name__ == "__main__":
    role, host, port, *checks = sys.argv[1:]
    if role == "worker":
        work(host, int(port))
    client = Watched("gear")
    client.addServer(host, int(port))
    client.waitForServer(20)
    client.setOption("exceptions", 20)
    for check in checks:
        print(f"{check}: {CHECKS[check](client)}", flush=True)
