"""The talk's hello world: a client in Python. Usage: python reverse_client.py [HOST:PORT]"""

import sys

from fleet import Client

with Client(sys.argv[1] if len(sys.argv) > 1 else None) as fleet:
    print(fleet.run("reverse", "Hello World!").decode())
