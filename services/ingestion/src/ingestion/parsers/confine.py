"""What a parsing child gives up before it reads a hostile byte.

Resource limits hold everywhere. On Linux it also gives up the network, new processes and all
influence on other processes (seccomp), and every file outside the Python installation (Landlock).
"""

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from pathlib import Path

from ingestion.parsers.system_calls import DENIED_CALLS, FIRST_NEW_CALL

LANDLOCK, SECCOMP = "landlock", "seccomp"

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
LANDLOCK_CREATE, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT = 444, 445, 446
LANDLOCK_TELL_VERSION = 1
# How many rights over files versions 1, 2, ... of Landlock know; from the last on there are no more.
LANDLOCK_FILE_RIGHTS = (13, 14, 15, 15, 16)
LANDLOCK_EXECUTE_AND_READ, LANDLOCK_READ_FILE = 0b1101, 0b100
LANDLOCK_TCP, LANDLOCK_SIGNALS_AND_SOCKETS = 0b11, 0b11
# Audit architecture number, the number of fcntl, and the place of numbers in DENIED_CALLS.
MACHINES = {"x86_64": (0xC000003E, 72, 0), "aarch64": (0xC00000B7, 25, 1)}
X32_CALLS = 0x40000000
# F_SETOWN, F_SETSIG, F_SETOWN_EX: how a pipe is made to send any signal to any process.
SIGNALLING_FCNTLS = (8, 10, 15)


def confine(*, memory_bytes: int, cpu_seconds: int) -> list[str]:
    """Limits this process for good: memory, CPU seconds, and on Linux network, processes and files.

    Returns which of LANDLOCK and SECCOMP this system does not offer; the rest holds all the same.
    """
    _limit_resources(memory_bytes, cpu_seconds)
    if sys.platform != "linux":
        return [LANDLOCK, SECCOMP]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # In this order: the second takes the first one's calls away.
    held = {LANDLOCK: _close_files(libc), SECCOMP: _deny_calls(libc)}
    return [name for name, holds in held.items() if not holds]


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


def _close_files(libc: ctypes.CDLL) -> bool:
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), LANDLOCK_TELL_VERSION)
    if version < 1:
        return False
    attributes = _ruleset_attributes(version)
    ruleset = libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    for place in _readable_places():
        access = LANDLOCK_EXECUTE_AND_READ if place.is_dir() else LANDLOCK_READ_FILE
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
        libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, struct.pack("=Qi", access, handle), 0)
        os.close(handle)
    restricted: int = libc.syscall(LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return restricted == 0


def _ruleset_attributes(version: int) -> bytes:
    """Returns all that this version of Landlock can take away: files, then TCP (4), then signals (6)."""
    rights = LANDLOCK_FILE_RIGHTS[min(version, len(LANDLOCK_FILE_RIGHTS)) - 1]
    attributes = struct.pack("QQQ", (1 << rights) - 1, LANDLOCK_TCP, LANDLOCK_SIGNALS_AND_SOCKETS)
    return attributes[: 8 if version < 4 else 16 if version < 6 else 24]


def _deny_calls(libc: ctypes.CDLL) -> bool:
    if platform.machine() not in MACHINES:
        return False
    program = _filter_program(platform.machine())
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count, padding, and a pointer to the instructions.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    answer: int = libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0)
    return answer == 0


def _filter_program(machine: str) -> bytes:
    """Returns BPF that refuses what DENIED_CALLS lists and kills a process that calls as another architecture."""
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, deny, missing, kill = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    architecture, fcntl, column = MACHINES[machine]
    head = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, kill), (load, 0, 0, 0)]
    # x32 calls come under the architecture of x86-64, with numbers of their own.
    head += [(at_least, 0, 1, X32_CALLS), (answer, 0, 0, kill)]
    head += [(at_least, 0, 1, FIRST_NEW_CALL), (answer, 0, 0, missing)]
    tail = [(equal, 0, 4, fcntl), (load, 0, 0, 24)]
    tail += [(equal, 3 - index, 0, command) for index, command in enumerate(SIGNALLING_FCNTLS)]
    tail += [(answer, 0, 0, allow), (answer, 0, 0, deny)]
    calls = [number for number in (both[column] for both in DENIED_CALLS.values()) if number is not None]
    # A call of the list jumps to the last step.
    steps = [(equal, len(calls) - index + len(tail) - 2, 0, call) for index, call in enumerate(calls)]
    return b"".join(struct.pack("HBBI", *step) for step in head + steps + tail)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(confine(memory_bytes=1024**3, cpu_seconds=5)))
