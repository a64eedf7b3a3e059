"""The trace printer as a process, fed by a real OTLP exporter."""

import subprocess
import sys
from pathlib import Path

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode

SCRIPT = Path(__file__).parents[1] / "print_traces.py"


def read_until_blank(stream):
    lines = []
    while line := stream.readline().rstrip("\n"):
        lines.append(line)
    return lines


def provider(service, endpoint):
    made = TracerProvider(resource=Resource({"service.name": service}))
    made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    return made


def test_a_trace_over_two_services_is_printed_as_one_tree_with_durations():
    command = [sys.executable, SCRIPT, "--port", "0", "--quiet", "0.4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        endpoint = process.stdout.readline().strip().rpartition("=")[2]
        chat, retrieval = provider("chat", endpoint), provider("retrieval", endpoint)
        with chat.get_tracer("t").start_as_current_span("Ask"):
            with retrieval.get_tracer("t").start_as_current_span("Search") as search:
                search.set_status(Status(StatusCode.ERROR))
            with chat.get_tracer("t").start_as_current_span("generate"):
                pass
        lines = read_until_blank(process.stdout)
        chat.shutdown()
        retrieval.shutdown()
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert "3 spans" in lines[0]
    assert [line.split("  at")[0].rsplit(maxsplit=2)[0].rstrip() for line in lines[1:]] == [
        "  chat: Ask",
        "    retrieval: Search",
        "    chat: generate",
    ]
    assert ["ERROR" in line for line in lines[1:]] == [False, True, False]
    assert all(" ms" in line for line in lines)
