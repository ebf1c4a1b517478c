"""An asynchronous queue: says what was seen, and does not wait. Usage: python views_client.py PAGE,... [HOST:PORT]"""

import sys

from fleet import Client

pages, *servers = sys.argv[1:]
with Client(servers or None) as fleet:
    for page in pages.split(","):
        print(fleet.submit("view", page, background=True).handle)
