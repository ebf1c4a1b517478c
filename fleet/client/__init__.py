"""The client SDK: `conversation`, `routing` and `task` are pure; `blocking` is the shell for threads.

>>> from fleet.client import Client
>>> with Client("127.0.0.1:4730") as client:
...     client.run("reverse", "Hello World!")
b'!dlroW olleH'
"""

from fleet.client.blocking import Client, Task
from fleet.client.task import Status

__all__ = ["Client", "Status", "Task"]
