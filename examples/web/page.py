"""A page that starts its slow parts first and waits for each where it stands. Usage: python page.py PORT [HOST:PORT]

The first bytes leave before any job has ended, and a part that is late, or has nobody to make it, is left out.
"""

import sys
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import make_server

from fleet import Client
from fleet.errors import FleetError

port, *servers = sys.argv[1:]
fleet = Client(servers or None, timeout=2)


def page(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    news, ad = begin("news"), begin("ad", environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    yield b"<h1>Kittens!</h1>\n"
    yield end(news)
    yield b"<p>Nothing here has waited for the ad.</p>\n"
    yield end(ad)


def begin(function: str, workload: str = "") -> Any:
    try:
        return fleet.submit(function, workload)
    except FleetError:
        return None


def end(task: Any) -> bytes:
    try:
        return bytes(task.result()) if task else b""
    except FleetError:
        return b""


with make_server("127.0.0.1", int(port), page) as server:
    print(f"listening 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
