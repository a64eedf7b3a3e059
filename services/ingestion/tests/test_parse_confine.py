"""What a confined child is refused, each tried in a real one; and how a machine that cannot confine is told of."""

import asyncio
import json
import platform
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingestion.parsers import child
from ingestion.parsers.child import ChildProcessParser
from ingestion.parsers.confine import LANDLOCK, SECCOMP
from ingestion.parsers.limits import ParseLimits
from ingestion.parsers.system_calls import DENIED_CALLS, FIRST_NEW_CALL
from ingestion.text import ContentType
from servicekit.errors import DependencyUnavailable

HEADERS = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc, seccomp and Landlock are Linux")
x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")


def confined(code):
    program = "from ingestion.parsers.confine import confine\nconfine(memory_bytes=2**29, cpu_seconds=5)\n" + code
    return subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, check=False, text=True, env={}, timeout=20
    )


@linux_only
@pytest.mark.parametrize(
    "deed",
    [
        "import socket; socket.socket()",
        "import os; os.fork()",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.kill(os.getppid(), 0)",
        "open('/etc/passwd')",
        "open('/proc/' + str(__import__('os').getppid()) + '/environ')",
        "open('/tmp/docuchat-confined', 'w')",
        "bytearray(2**30)",
        "import os; os.truncate(VICTIM, 0)",
        "import os; os.chmod(VICTIM, 0o777)",
        "import os; os.utime(VICTIM)",
        "import os; os.setxattr(VICTIM, 'user.a', b'b')",
        "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
        "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "import os; os.sched_setaffinity(os.getppid(), {0})",
        "import fcntl, os; fcntl.fcntl(os.pipe()[1], 8, os.getppid())",
        "import fcntl, os; fcntl.fcntl(os.pipe()[1], 10, 9)",
        "import fcntl, os; fcntl.fcntl(os.pipe()[1], 15, bytes(8))",
    ],
)
def test_a_confined_child_can_do_nothing_but_compute(tmp_path, deed):
    victim = tmp_path / "victim"
    victim.write_text("words")
    run = confined(f"VICTIM = {str(victim)!r}\n{deed}\nprint('done')")
    assert "done" not in run.stdout
    assert "PermissionError" in run.stderr or "MemoryError" in run.stderr
    assert victim.read_text() == "words"


CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    return errno.errorcode[ctypes.get_errno()] if libc.syscall(number, *arguments) < 0 else "done"
"""


@linux_only
@x86_only
@pytest.mark.parametrize(
    "call",
    [
        "129, os.getppid(), 0, (ctypes.c_int * 32)(0, 0, -1)",  # rt_sigqueueinfo
        "297, os.getppid(), os.getppid(), 0, (ctypes.c_int * 32)(0, 0, -1)",  # rt_tgsigqueueinfo
        "101, 16, os.getppid(), 0, 0",  # ptrace
        "321, 0, 0, 0",  # bpf
        "323, 0",  # userfaultfd
        "298, bytes(128), 0, -1, -1, 0",  # perf_event_open
        "250, 0, -1, 0",  # keyctl
        "29, 0x0D0C, 4096, 0o600",  # shmget
    ],
)
def test_a_call_that_reaches_beyond_the_child_is_refused(call):
    assert confined(f"{CALL}print(call({call}))").stdout == "EPERM\n"


@linux_only
@x86_only
def test_every_call_of_the_list_is_refused():
    numbers = [number for number, _ in DENIED_CALLS.values()]
    assert confined(f"{CALL}print({{call(number, *[-1] * 6) for number in {numbers}}})").stdout == "{'EPERM'}\n"


@linux_only
def test_calls_that_younger_kernels_know_are_missing():
    program = f"{CALL}print({{call(number, *[-1] * 6) for number in range({FIRST_NEW_CALL}, 600)}})"
    assert confined(program).stdout == "{'ENOSYS'}\n"


@linux_only
@x86_only
def test_a_child_that_calls_by_the_numbers_of_x32_is_killed():
    assert confined(f"{CALL}print(call(0x40000000 | 39))").returncode == -signal.SIGSYS


@linux_only
@x86_only
def test_a_child_that_calls_as_32_bit_program_is_killed():
    program = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, getpid; int 0x80; ret
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
"""
    # Without a kernel that runs such programs the interrupt itself is the fault.
    assert confined(program).returncode in {-signal.SIGSYS, -signal.SIGSEGV}


@pytest.mark.skipif(not all(path.exists() for path in HEADERS), reason="the kernel's headers are not installed")
def test_the_numbers_are_those_of_the_kernels_headers():
    known = [
        dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())) | {None: None} for path in HEADERS
    ]
    for name, numbers in DENIED_CALLS.items():
        assert numbers == tuple(int(names[name]) if name in names else None for names in known), name


def test_a_confined_child_stops_at_its_processor_time():
    program = (
        "from ingestion.parsers.confine import confine\nconfine(memory_bytes=2**29, cpu_seconds=1)\nwhile True: pass"
    )
    started = time.monotonic()
    assert subprocess.run([sys.executable, "-I", "-c", program], check=False, env={}, timeout=20).returncode < 0
    assert time.monotonic() - started < 10


def test_a_child_has_no_environment():
    assert json.loads(confined("import json, os; print(json.dumps(sorted(os.environ)))").stdout) in ([], ["LC_CTYPE"])


# A kernel without Landlock: call 444 does not exist. One without seccomp: prctl(22, ...) is not valid.
PRCTL = {"x86_64": 157, "aarch64": 167}.get(platform.machine(), 0)
MISSING = {
    LANDLOCK: [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50026)],
    SECCOMP: [(0x20, 0, 0, 0), (0x15, 0, 3, PRCTL), (0x20, 0, 0, 16), (0x15, 0, 1, 22), (0x06, 0, 0, 0x50016)],
}
OLD_KERNEL = """#!{python} -I
import ctypes, os, struct, sys
program = ctypes.create_string_buffer(bytes.fromhex("{program}"))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, struct.pack("HxxxxxxP", {count}, ctypes.addressof(program)), 0, 0)
os.execv("{python}", ["{python}", *sys.argv[1:]])
"""


@pytest.fixture
def old_kernel(tmp_path, monkeypatch):
    """Lets children run as on a kernel that lacks a protection."""

    def lack(protection):
        steps = [*MISSING[protection], (0x06, 0, 0, 0x7FFF0000)]
        program = b"".join(struct.pack("HBBI", *step) for step in steps).hex()
        script = tmp_path / "python"
        script.write_text(OLD_KERNEL.format(python=sys.executable, program=program, count=len(steps)))
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return lack


@linux_only
@pytest.mark.parametrize("protection", [LANDLOCK, SECCOMP])
async def test_a_machine_that_cannot_confine_is_told_of_at_the_start(old_kernel, monkeypatch, logs, protection):
    counted = []
    monkeypatch.setattr(child, "count_event", lambda name, **attributes: counted.append((name, attributes)))
    old_kernel(protection)
    await ChildProcessParser(ParseLimits()).report_gaps()
    assert counted == [("sandbox.protection.missing", {"protection": protection})]
    [line] = logs
    assert (line["log_level"], line["missing"], line["documents_are_read"]) == ("warning", protection, True)


@linux_only
async def test_the_worker_tells_at_its_start_what_its_machine_lacks(old_kernel, tmp_path):
    old_kernel(LANDLOCK)
    environment = {
        "DOCUCHAT_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:9/nothing",
        "DOCUCHAT_SERVICE_SECRET": "the secret",
        "DOCUCHAT_OBJECT_STORE_URL": f"file://{tmp_path}/objects",
        "DOCUCHAT_DATA_DIR": str(tmp_path),
        "DOCUCHAT_PARSE_CONFINEMENT_REQUIRED": "true",
    }
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ingestion", "worker"), stderr=asyncio.subprocess.PIPE, env=environment
    )
    try:
        async with asyncio.timeout(60):
            while b"sandbox_incomplete" not in (line := await worker.stderr.readline()):
                assert line, "the worker ended and told nothing"
    finally:
        worker.kill()
        await worker.communicate()
    told = json.loads(line)
    assert (told["missing"], told["documents_are_read"]) == (LANDLOCK, False)


@linux_only
async def test_a_machine_that_can_confine_has_nothing_to_tell(logs):
    await ChildProcessParser(ParseLimits()).report_gaps()
    assert logs == []


async def test_a_report_that_cannot_be_had_ends_nothing(tmp_path, monkeypatch, logs):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    await ChildProcessParser(ParseLimits()).report_gaps()
    assert [line["log_level"] for line in logs] == ["warning"]


@linux_only
@pytest.mark.parametrize("protection", [LANDLOCK, SECCOMP])
async def test_where_confinement_is_required_nothing_is_read_without_it(tmp_path, old_kernel, protection):
    document = tmp_path / "document"
    document.write_text("words")
    old_kernel(protection)
    assert (await ChildProcessParser(ParseLimits()).parse(document, ContentType.TEXT)).text == "words"
    with pytest.raises(DependencyUnavailable):
        await ChildProcessParser(ParseLimits(require_confinement=True)).parse(document, ContentType.TEXT)


@linux_only
async def test_where_confinement_is_required_and_there_documents_are_read(tmp_path):
    document = tmp_path / "document"
    document.write_text("words")
    parser = ChildProcessParser(ParseLimits(require_confinement=True))
    assert (await parser.parse(document, ContentType.TEXT)).text == "words"
