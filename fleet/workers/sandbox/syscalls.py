"""What a runner may ask of the kernel: every call that has an answer of its own, with the reason. Pure.

Four answers. ALLOW: decoding, memory, time, and the two descriptors that are open. An errno: a library asks in good
faith and has another way when refused. KILL: no decoder ever asks; whoever does has taken it over, and the runner
ends with SIGSYS. A test of the arguments: allowed if it holds, else the errno beside it. A call that is not in the
table is refused with EPERM.

The numbers are Linux's, of x86_64 and aarch64; None where that processor has no such call.
"""

from __future__ import annotations

import errno
from typing import Final, NamedTuple

SELF: Final = -1  # stands for the runner's own process number, filled in when it is known

PROT_EXEC: Final = 4
AT_EMPTY_PATH: Final = 0x1000
CLONE_DETACHED: Final = 0x400000  # a flag without a meaning that musl still sets
# A thread as glibc and musl make it: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID.
A_THREAD: Final = 0x3D0F00
FCNTL: Final = (0, 1, 2, 3, 1030)  # DUPFD, GETFD, SETFD, GETFL, DUPFD_CLOEXEC; not the owner of signals
PRCTL: Final = (15, 16, 0x53564D41)  # the names of threads and of memory areas


class Answer(NamedTuple):
    """`error` 0 is yes; `kill` ends the runner."""

    error: int = 0
    kill: bool = False


class Test(NamedTuple):
    """Whether an argument, without the bits of `ignoring`, is one of `values`; SELF is the runner itself.

    Only the lower 32 bits of an argument are looked at, for the kernel looks at no more of these; a pointer, of
    which it does, is `wide`.
    """

    argument: int
    values: tuple[int, ...]
    ignoring: int = 0
    wide: bool = False


class Call(NamedTuple):
    name: str
    x86_64: int | None
    aarch64: int | None
    answer: Answer  # where all tests hold
    tests: tuple[Test, ...] = ()
    otherwise: Answer = Answer(errno.EPERM)


ALLOW: Final = Answer()
KILL: Final = Answer(kill=True)
EPERM: Final = Answer(errno.EPERM)
NO_FILES: Final = Answer(errno.EACCES)

_NOT_EXECUTABLE: Final = (Test(2, (0,), ignoring=0xFFFFFFFF & ~PROT_EXEC),)
_ITSELF: Final = (Test(0, (SELF,)),)


def _by_descriptor(argument: int) -> tuple[Test, ...]:
    """Asking about an open descriptor, not about a path."""
    return (Test(argument, (AT_EMPTY_PATH,), ignoring=0xFFFFFFFF & ~AT_EMPTY_PATH),)


CALLS: Final[tuple[Call, ...]] = (
    # Its input and its channel.
    Call("read", 0, 63, ALLOW),
    Call("write", 1, 64, ALLOW),
    Call("readv", 19, 65, ALLOW),
    Call("writev", 20, 66, ALLOW),
    Call("pread64", 17, 67, ALLOW),
    Call("lseek", 8, 62, ALLOW),
    Call("close", 3, 57, ALLOW),
    Call("dup", 32, 23, ALLOW),
    Call("fstat", 5, 80, ALLOW),
    Call("newfstatat", 262, 79, ALLOW, _by_descriptor(3), NO_FILES),
    Call("statx", 332, 291, ALLOW, _by_descriptor(2), NO_FILES),
    Call("fcntl", 72, 25, ALLOW, (Test(1, FCNTL),)),
    Call("poll", 7, None, ALLOW),
    Call("ppoll", 271, 73, ALLOW),
    # Memory, but none that can be run.
    Call("brk", 12, 214, ALLOW),
    Call("mmap", 9, 222, ALLOW, _NOT_EXECUTABLE),
    Call("mprotect", 10, 226, ALLOW, _NOT_EXECUTABLE),
    Call("munmap", 11, 215, ALLOW),
    Call("mremap", 25, 216, ALLOW),
    Call("madvise", 28, 233, ALLOW),
    # Threads, but no processes: libvips and some codecs work with several.
    Call("clone", 56, 220, ALLOW, (Test(0, (A_THREAD,), ignoring=CLONE_DETACHED),)),
    Call("clone3", 435, 435, Answer(errno.ENOSYS)),  # its flags are out of a filter's sight; glibc falls back to clone
    Call("futex", 202, 98, ALLOW),
    Call("set_robust_list", 273, 99, ALLOW),
    Call("set_tid_address", 218, 96, ALLOW),
    Call("rseq", 334, 293, ALLOW),
    Call("membarrier", 324, 283, ALLOW),
    Call("sched_yield", 24, 124, ALLOW),
    Call("sched_getaffinity", 204, 123, ALLOW),
    Call("getcpu", 309, 168, ALLOW),
    Call("prctl", 157, 167, ALLOW, (Test(0, PRCTL),)),
    # Signals, to itself alone: abort() is an honest end.
    Call("rt_sigaction", 13, 134, ALLOW),
    Call("rt_sigprocmask", 14, 135, ALLOW),
    Call("rt_sigreturn", 15, 139, ALLOW),
    Call("sigaltstack", 131, 132, ALLOW),
    Call("kill", 62, 129, ALLOW, _ITSELF),
    Call("tgkill", 234, 131, ALLOW, _ITSELF),
    # Time, chance, and what it is.
    Call("clock_gettime", 228, 113, ALLOW),
    Call("clock_getres", 229, 114, ALLOW),
    Call("clock_nanosleep", 230, 115, ALLOW),
    Call("nanosleep", 35, 101, ALLOW),
    Call("gettimeofday", 96, 169, ALLOW),
    Call("time", 201, None, ALLOW),
    Call("times", 100, 153, ALLOW),
    Call("getrandom", 318, 278, ALLOW),
    Call("getpid", 39, 172, ALLOW),
    Call("gettid", 186, 178, ALLOW),
    Call("getppid", 110, 173, ALLOW),
    Call("getuid", 102, 174, ALLOW),
    Call("geteuid", 107, 175, ALLOW),
    Call("getgid", 104, 176, ALLOW),
    Call("getegid", 108, 177, ALLOW),
    Call("getcwd", 79, 17, ALLOW),  # /, see `Sandbox`; Pillow asks with every picture it writes
    Call("uname", 63, 160, ALLOW),
    Call("sysinfo", 99, 179, ALLOW),
    Call("getrusage", 98, 165, ALLOW),
    Call("getrlimit", 97, 163, ALLOW),
    Call("prlimit64", 302, 261, ALLOW, (Test(0, (0, SELF)), Test(2, (0,), wide=True))),  # to read, not to set
    # The end.
    Call("exit", 60, 93, ALLOW),
    Call("exit_group", 231, 94, ALLOW),
    Call("restart_syscall", 219, 128, ALLOW),
    # Files by their names: a library that wants to look at one does without.
    Call("open", 2, None, NO_FILES),
    Call("openat", 257, 56, NO_FILES),
    Call("openat2", 437, 437, NO_FILES),
    Call("creat", 85, None, NO_FILES),
    Call("stat", 4, None, NO_FILES),
    Call("lstat", 6, None, NO_FILES),
    Call("access", 21, None, NO_FILES),
    Call("faccessat", 269, 48, NO_FILES),
    Call("faccessat2", 439, 439, NO_FILES),
    Call("readlink", 89, None, NO_FILES),
    Call("readlinkat", 267, 78, NO_FILES),
    Call("ioctl", 16, 29, Answer(errno.ENOTTY)),  # "is this a terminal?"
    # What nobody asks who only decodes pictures.
    Call("execve", 59, 221, KILL),
    Call("execveat", 322, 281, KILL),
    Call("ptrace", 101, 117, KILL),
    Call("process_vm_readv", 310, 270, KILL),
    Call("process_vm_writev", 311, 271, KILL),
    Call("pidfd_getfd", 438, 438, KILL),
    Call("pidfd_send_signal", 424, 424, KILL),
    Call("kcmp", 312, 272, KILL),
    Call("connect", 42, 203, KILL),
    Call("bind", 49, 200, KILL),
    Call("listen", 50, 201, KILL),
    Call("accept", 43, 202, KILL),
    Call("accept4", 288, 242, KILL),
    Call("setns", 308, 268, KILL),
    Call("unshare", 272, 97, KILL),
    Call("chroot", 161, 51, KILL),
    Call("pivot_root", 155, 41, KILL),
    Call("mount", 165, 40, KILL),
    Call("umount2", 166, 39, KILL),
    Call("open_tree", 428, 428, KILL),
    Call("move_mount", 429, 429, KILL),
    Call("fsopen", 430, 430, KILL),
    Call("name_to_handle_at", 303, 264, KILL),
    Call("open_by_handle_at", 304, 265, KILL),
    Call("bpf", 321, 280, KILL),
    Call("perf_event_open", 298, 241, KILL),
    Call("userfaultfd", 323, 282, KILL),
    Call("io_uring_setup", 425, 425, KILL),
    Call("io_uring_enter", 426, 426, KILL),
    Call("io_uring_register", 427, 427, KILL),
    Call("add_key", 248, 217, KILL),
    Call("request_key", 249, 218, KILL),
    Call("keyctl", 250, 219, KILL),
    Call("init_module", 175, 105, KILL),
    Call("finit_module", 313, 273, KILL),
    Call("delete_module", 176, 106, KILL),
    Call("kexec_load", 246, 104, KILL),
    Call("kexec_file_load", 320, 294, KILL),
    Call("reboot", 169, 142, KILL),
    Call("iopl", 172, None, KILL),
    Call("ioperm", 173, None, KILL),
    Call("modify_ldt", 154, None, KILL),
)
