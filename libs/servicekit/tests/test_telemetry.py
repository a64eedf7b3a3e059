"""A log that cannot be written costs its lines and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servicekit import telemetry
from servicekit.telemetry import LossyStream

PROGRAM = """
from servicekit.telemetry import configure_logs, get_logger
configure_logs("toy")
for _ in range(3):
    get_logger("toy").info("a line")
try:
    raise ValueError("x")
except ValueError:
    get_logger("toy").exception("a trace")
print("went on")
"""


def run(stderr):
    command = [sys.executable, "-u", "-c", PROGRAM]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=stderr, timeout=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
def test_a_full_disk_behind_the_log_fails_nothing():
    with Path("/dev/full").open("w") as full:
        assert run(full).stdout == b"went on\n"


def test_a_closed_pipe_behind_the_log_fails_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert run(writer).stdout == b"went on\n"
    finally:
        os.close(writer)


class Disk:
    def __init__(self):
        self.is_full = True
        self.written = []

    def write(self, text):
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.written.append(text)
        return len(text)

    def flush(self):
        if self.is_full:
            raise OSError(28, "No space left on device")


def test_a_dropped_line_is_counted_and_the_next_is_written_once_there_is_room(monkeypatch):
    counted = []
    monkeypatch.setattr(telemetry, "count_event", counted.append)
    disk = Disk()
    stream = LossyStream(disk)
    print("lost", file=stream)
    assert set(counted) == {"log.line.dropped"}
    disk.is_full = False
    print("kept", file=stream, flush=True)
    assert "".join(disk.written) == "kept\n"
