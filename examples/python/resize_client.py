"""A thumbnail from Python. Usage: python resize_client.py IN OUT [HOST:PORT]"""

import sys

from fleet import Client

source, target, *servers = sys.argv[1:]
with Client(servers or None) as fleet:
    fleet.resize(source, 200, 150).result(timeout=20).save(target)
