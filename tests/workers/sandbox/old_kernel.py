"""Run a program as on a kernel without Landlock: ``python -m tests.workers.sandbox.old_kernel PROGRAM ARGUMENT...``.

The kernel's own filter answers the one call that Landlock begins with as such a kernel would.
"""

from __future__ import annotations

import os
import sys
from errno import ENOSYS

from fleet.workers.sandbox import kernel
from fleet.workers.sandbox.bpf import ALLOWED, ERRNO, IF_EQUAL, LOAD, NUMBER_AT, RETURN, Filter, Instruction

CREATE_RULESET = 444
PROGRAM = (
    Instruction(LOAD, NUMBER_AT),
    Instruction(IF_EQUAL, CREATE_RULESET, 0, 1),
    Instruction(RETURN, ERRNO | ENOSYS),
    Instruction(RETURN, ALLOWED),
)

if __name__ == "__main__":
    if os.geteuid():
        kernel.no_new_privileges()
    kernel.Seccomp(Filter(PROGRAM, ())).load()
    os.execvp(sys.argv[1], sys.argv[1:])
