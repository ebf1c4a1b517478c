"""Starts a host's parts, restarts what dies, and leaves no process behind.

>>> server = Part("server", ("fleet", "server", "--port", "{server.port:0}"), ready="listening ")
>>> pool = Part("pool", ("fleet", "pool", "--servers", "{server}"), ready="ready ", needs=("server",))
>>> code = Supervisor([server, pool]).run()
"""

from __future__ import annotations

from fleet.supervisor.spec import Part, Policy
from fleet.supervisor.supervisor import Supervisor

__all__ = ["Part", "Policy", "Supervisor"]
