"""Receives spans over OTLP/gRPC and prints each trace as a tree of durations.

``python deploy/observability/print_traces.py [--port 4317]``, and in another terminal
``OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 make run``. For looking at a trace by hand; it stores nothing.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

MESSAGE_BYTES = 16 * 1024 * 1024
LONGEST_NAME = 72


@dataclass(frozen=True)
class Span:
    """A span as the tree needs it; times in nanoseconds."""

    span_id: str
    parent_id: str
    service: str
    name: str
    start: int
    end: int
    failed: bool


@dataclass
class Trace:
    """The spans of one trace that have come so far."""

    spans: list[Span] = field(default_factory=list)
    last_arrival: float = 0.0


class SpanReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Collects spans by trace until a trace has been quiet for a while."""

    def __init__(self, quiet_seconds: float) -> None:
        self._quiet_seconds = quiet_seconds
        self._traces: dict[str, Trace] = {}

    async def Export(  # noqa: N802 (the protocol's name)
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # noqa: ARG002 (the stub's signature)
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Takes in what an exporter sends."""
        for group in request.resource_spans:
            service = read_service(group.resource)
            for scope in group.scope_spans:
                for span in scope.spans:
                    self._add(service, span)
        return trace_service_pb2.ExportTraceServiceResponse()

    def take_quiet(self, now: float) -> list[tuple[str, list[Span]]]:
        """Removes and returns the traces, id and spans, to which nothing has been added lately."""
        quiet = [key for key, trace in self._traces.items() if now - trace.last_arrival >= self._quiet_seconds]
        return [(key, self._traces.pop(key).spans) for key in quiet]

    def _add(self, service: str, span: trace_pb2.Span) -> None:
        trace = self._traces.setdefault(span.trace_id.hex(), Trace())
        trace.last_arrival = time.monotonic()
        trace.spans.append(
            Span(
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                service=service,
                name=span.name,
                start=span.start_time_unix_nano,
                end=span.end_time_unix_nano,
                failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
            )
        )


def read_service(resource: Resource) -> str:
    """Returns the service.name of a resource."""
    names = [item.value.string_value for item in resource.attributes if item.key == "service.name"]
    return names[0] if names else "?"


def draw_tree(trace_id: str, spans: Sequence[Span]) -> str:
    """Returns the trace as indented lines: service, name, milliseconds, and the start relative to the first span."""
    known = {span.span_id for span in spans}
    # A parent may be outside: in the caller, or in a process that exports nowhere.
    roots = [span for span in spans if span.parent_id not in known]
    first = min(span.start for span in spans)
    total = (max(span.end for span in spans) - first) / 1e6
    lines = [line for root in _by_start(roots) for line in _draw(root, spans, first, 0)]
    return "\n".join([f"trace {trace_id}  {len(spans)} spans  {total:.1f} ms", *lines])


def _draw(span: Span, spans: Sequence[Span], first: int, depth: int) -> Iterator[str]:
    label = f"{'  ' * depth}{span.service}: {span.name}"[:LONGEST_NAME]
    mark = "  ERROR" if span.failed else ""
    took, at = (span.end - span.start) / 1e6, (span.start - first) / 1e6
    yield f"  {label:<{LONGEST_NAME}} {took:>10.1f} ms  at {at:>9.1f}{mark}"
    for child in _by_start([other for other in spans if other.parent_id == span.span_id]):
        yield from _draw(child, spans, first, depth + 1)


def _by_start(spans: Sequence[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: span.start)


async def serve(port: int, quiet_seconds: float, fewest_spans: int) -> None:
    """Listen on loopback and print traces of enough spans until SIGINT or SIGTERM."""
    receiver = SpanReceiver(quiet_seconds)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_BYTES)])
    # opentelemetry-proto's stubs have no types.
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    _print(f"listening; start the stack with OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{bound}")
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    while not stopped.is_set():
        for trace_id, spans in receiver.take_quiet(time.monotonic()):
            if len(spans) >= fewest_spans:
                _print(draw_tree(trace_id, spans) + "\n")
        await _sleep_unless(stopped, quiet_seconds / 4)
    await server.stop(grace=1)


async def _sleep_unless(stopped: asyncio.Event, seconds: float) -> None:
    await asyncio.wait({waiter := asyncio.create_task(stopped.wait())}, timeout=seconds)
    waiter.cancel()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(description="Prints traces as trees.")
    parser.add_argument("--port", type=int, default=4317, help="0 takes a free one")
    parser.add_argument("--quiet", type=float, default=2.0, help="seconds without a new span that end a trace")
    parser.add_argument("--all", action="store_true", help="also traces of a single span, such as health checks")
    options = parser.parse_args(arguments)
    asyncio.run(serve(options.port, options.quiet, 1 if options.all else 2))


if __name__ == "__main__":
    main(sys.argv[1:])
