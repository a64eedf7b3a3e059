"""What a parsing child gives up before it reads a hostile byte.

Resource limits hold everywhere. On Linux it also gives up the network, new processes and other
processes' memory (seccomp), and every file outside the Python installation (Landlock).
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_EVERY_FILE_ACCESS = (1 << 13) - 1
_LANDLOCK_EXECUTE_AND_READ = 0b1101
# audit architecture number, then: socket, socketpair, connect, execve, execveat, fork, vfork, ptrace,
# process_vm_readv, process_vm_writev, kill, tkill, tgkill, pidfd_open, io_uring_setup, bpf, clone, clone3
# (so no threads either: no parser needs one). aarch64 has no fork and vfork.
_DENIED_CALLS = {
    "x86_64": (0xC000003E, (41, 53, 42, 59, 322, 57, 58, 101, 310, 311, 62, 200, 234, 434, 425, 321, 56, 435)),
    "aarch64": (0xC00000B7, (198, 199, 203, 221, 281, 117, 270, 271, 129, 130, 131, 434, 425, 280, 220, 435)),
}


def confine(*, memory_bytes: int, cpu_seconds: int) -> None:
    """Limit this process for good: memory, CPU seconds, and on Linux network, processes and files.

    Where the kernel offers no seccomp or Landlock the limits alone hold.
    """
    _limit_resources(memory_bytes, cpu_seconds)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _close_files(libc)
        _deny_calls(libc)


def _limit_resources(memory_bytes: int, cpu_seconds: int) -> None:
    # macOS maps gigabytes before it starts a program and refuses a limit below that.
    if sys.platform != "darwin":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # One second between SIGXCPU and SIGKILL: both say that the limit was reached.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _readable_places() -> set[Path]:
    paths = {Path(place) for place in (*sysconfig.get_paths().values(), *sys.path, sys.base_prefix, sys.prefix)}
    paths.update(Path(place) for place in ("/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/dev/urandom"))
    return {path for path in paths if path.is_absolute() and path.exists()}


def _close_files(libc: ctypes.CDLL) -> None:
    attributes = struct.pack("Q", _LANDLOCK_EVERY_FILE_ACCESS)
    ruleset = libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return
    for place in _readable_places():
        access = _LANDLOCK_EXECUTE_AND_READ if place.is_dir() else 0b100
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
        libc.syscall(_LANDLOCK_ADD_RULE, ruleset, 1, struct.pack("=Qi", access, handle), 0)
        os.close(handle)
    libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _deny_calls(libc: ctypes.CDLL) -> None:
    if platform.machine() not in _DENIED_CALLS:
        return
    architecture, calls = _DENIED_CALLS[platform.machine()]
    program = _filter_program(architecture, calls)
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count, padding, and a pointer to the instructions.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    libc.prctl(_PR_SET_SECCOMP, 2, header, 0, 0)


def _filter_program(architecture: int, calls: tuple[int, ...]) -> bytes:
    """Return BPF that fails the named calls with EPERM and kills a process of another architecture."""
    load, equal, answer = 0x20, 0x15, 0x06
    allow, deny, kill = 0x7FFF0000, 0x00050001, 0x80000000
    steps = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, kill), (load, 0, 0, 0)]
    steps += [(equal, len(calls) - index, 0, call) for index, call in enumerate(calls)]
    steps += [(answer, 0, 0, allow), (answer, 0, 0, deny)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
