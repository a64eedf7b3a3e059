"""A log that cannot be written costs its lines and nothing else."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

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
    logger = structlog.BytesLogger(LossyStream(disk))
    logger.msg(b"lost")
    assert set(counted) == {"log.line.dropped"}
    disk.is_full = False
    logger.msg(b"kept")
    assert b"".join(disk.written) == b"kept\n"


@dataclass
class Secretive:
    shown: int = 1
    token: str = field(default="canary", repr=False)


LINES = {
    "controls": ("a\nb\x1b[2J\x00", "a\nb\x1b[2J\x00"),
    "controls beyond ASCII": ("\x9b2J\u2028\u202e", "\x9b2J\u2028\u202e"),
    "letters": ("سلام", "سلام"),
    "half a character": ("\ud800", "\ud800"),
    "a large number": (2**70, 2**70),
    "a key that is no text": ({1: 2}, {"1": 2}),
    "a dataclass": (Secretive(), "Secretive(shown=1)"),
    "an object": (object, "<class 'object'>"),
}


@pytest.mark.parametrize(("value", "shown"), LINES.values(), ids=LINES)
def test_a_line_is_json_in_ascii_without_control_characters(value, shown):
    line = telemetry.render_line(None, "info", {"event": "e", "value": value})
    assert all(32 <= byte < 127 for byte in line)
    assert json.loads(line)["value"] == shown


TRACED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_where_nobody_collects_a_span_is_nothing_and_a_callers_trace_still_goes_on(monkeypatch):
    opened = []
    real = telemetry.trace.get_tracer
    monkeypatch.setattr(telemetry.trace, "get_tracer", lambda name: opened.append(name) or real(name))
    with telemetry.span("call", {}), telemetry.span("inside"):
        assert telemetry.trace_carrier() == {}
    assert opened == []
    with telemetry.span("call", {"traceparent": TRACED}), telemetry.span("inside"):
        assert telemetry.trace_carrier() == {"traceparent": TRACED}


def test_where_somebody_collects_spans_continue_the_trace_and_are_passed_on(monkeypatch):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry.trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(telemetry.trace, "get_tracer", provider.get_tracer)
    with telemetry.span("call", {"traceparent": TRACED}), telemetry.span("inside", top_k=3):
        carrier = telemetry.trace_carrier()
    inside, call = exporter.get_finished_spans()
    assert carrier["traceparent"].split("-")[1:3] == [TRACED.split("-")[1], format(inside.context.span_id, "016x")]
    assert (call.parent.span_id, inside.parent.span_id) == (0xB7AD6B7169203331, call.context.span_id)
    assert dict(inside.attributes) == {"top.k": 3}


def test_a_counter_is_made_once_however_often_it_counts(monkeypatch):
    made = []
    real = telemetry.metrics.get_meter
    monkeypatch.setattr(telemetry.metrics, "get_meter", lambda name: made.append(name) or real(name))
    for _ in range(5):
        telemetry.count_event("test.counted.once", task="a")
        telemetry.record_level("test.level.once", 1)
        telemetry.record_seconds("test.seconds.once", 1, {})
    assert len(made) == 3
