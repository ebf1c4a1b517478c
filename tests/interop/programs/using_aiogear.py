"""aiogear. Usage: python using_aiogear.py worker HOST PORT | client HOST PORT CHECK..."""

import asyncio
import sys

from aiogear import Client, Worker


def reverse(job):
    return job.workload[::-1]


def exception(job):
    raise RuntimeError("boom")


async def work(host, port):
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: Worker(reverse, exception), host, port)
    await asyncio.Event().wait()


async def run(client, submit, function, workload=""):
    job = await submit(function, workload)
    return await client.wait_job(job.handle)


async def reversed_by(client, submit, workload):
    return (await run(client, submit, "reverse", workload)).result


async def background(client):
    status = await client.get_status((await client.submit_job_bg("nobody", "")).handle)
    return "queued" if status.known and not status.running else "lost"


async def fail(client):
    return "failed" if type(await run(client, client.submit_job, "fail")).__name__ == "WorkFail" else "completed"


async def exception_of(client):
    await client.option_req("exceptions")
    return (await run(client, client.submit_job, "exception")).exception


CHECKS = {
    "reverse": lambda client: reversed_by(client, client.submit_job, "Hello World!"),
    "high": lambda client: reversed_by(client, client.submit_job_high, "high"),
    "low": lambda client: reversed_by(client, client.submit_job_low, "low"),
    "background": background,
    "fail": fail,
    "exception": exception_of,
}


async def ask(host, port, checks):
    for check in checks:
        # A client each, because one takes the next result for that of its background job.
        _, client = await asyncio.get_running_loop().create_connection(Client, host, port)
        print(f"{check}: {await asyncio.wait_for(CHECKS[check](client), 20)}", flush=True)


if __name__ == "__main__":
    role, host, port, *checks = sys.argv[1:]
    asyncio.run(work(host, int(port)) if role == "worker" else ask(host, int(port), checks))
