"""Traces, metrics and logs: OpenTelemetry when a collector is configured, JSON lines always."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from io import RawIOBase
from typing import BinaryIO, TypeAlias, cast

import orjson
import structlog
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORT_TIMEOUT_SECONDS = 5
NO_SPAN = nullcontext(trace.INVALID_SPAN)

Logger: TypeAlias = structlog.stdlib.BoundLogger


def configure_telemetry(service_name: str, version: str, log_level: str = "INFO") -> None:
    """Sets up logs, and exporters if OTEL_EXPORTER_OTLP_ENDPOINT names a collector; call once per process."""
    configure_logs(service_name, log_level)
    if os.environ.get(ENDPOINT):
        _export(service_name, version)


def _export(service_name: str, version: str) -> None:
    # A sixth of a start's processor time, which every start without a collector would pay.
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 - see above
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above

    resource = Resource.create({"service.name": service_name, "service.version": version})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_TIMEOUT_SECONDS)))
    trace.set_tracer_provider(spans)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(timeout=EXPORT_TIMEOUT_SECONDS))
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))


def flush_telemetry() -> None:
    """Sends what is still buffered; part of an orderly stop."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        if isinstance(provider, TracerProvider | MeterProvider):
            provider.shutdown()


class LossyStream(RawIOBase):
    """A stream that drops what it cannot write, and counts it: no call may fail because a disk is full of its log."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> int:  # type: ignore[override] # any buffer would do, and bytes is what comes
        """Writes if that works."""
        # A closed stream is a ValueError.
        try:
            return self._stream.write(line)
        except (OSError, ValueError):
            count_event("log.line.dropped")
            return len(line)

    def flush(self) -> None:
        """Flushes if that works."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            count_event("log.line.dropped")


def configure_logs(service_name: str, log_level: str = "INFO") -> None:
    """Writes one JSON line per event to stderr, control characters escaped."""
    level = logging.getLevelNamesMapping()[log_level]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_trace_id,
            # Without local variables: they hold documents and secrets.
            ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            render_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", LossyStream(sys.stderr.buffer))),
        # Whoever keeps a logger (the layers do) has it put together once.
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service_name)


def render_line(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    """Returns the event as JSON in ASCII: terminals take some characters beyond it for commands too."""
    with suppress(TypeError):  # a lone surrogate, a number beyond 64 bits, a key that is no text
        # A dataclass shows its repr, which leaves out what is secret.
        line = orjson.dumps(event, default=repr, option=orjson.OPT_PASSTHROUGH_DATACLASS)
        if line.isascii():
            return line
    return json.dumps(event, default=repr, skipkeys=True).encode()


def add_trace_id(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Adds the current trace's id, so that a log line leads to its trace."""
    found = trace.get_current_span().get_span_context()
    if found.is_valid:
        event["trace_id"] = format(found.trace_id, "032x")
    return event


def get_logger(name: str) -> Logger:
    """Returns a logger whose events carry its name."""
    logger: Logger = structlog.get_logger(component=name)
    return logger


def count_event(name: str, **attributes: AttributeValue) -> None:
    """Adds one to a counter, such as `background.round.failed`."""
    _counter(name).add(1, attributes)


def record_level(name: str, value: float) -> None:
    """Sets a gauge, such as `ingestion.jobs.oldest_due_seconds`."""
    _gauge(name).set(value)


def record_seconds(name: str, seconds: float, attributes: Mapping[str, AttributeValue]) -> None:
    """Adds a duration to a histogram, such as `rpc.server.call.duration`."""
    _histogram(name).record(seconds, attributes)


# Made once: without a collector OpenTelemetry keeps every meter that it was ever asked for.
@cache
def _counter(name: str) -> metrics.Counter:
    return metrics.get_meter("docuchat").create_counter(name)


@cache
def _gauge(name: str) -> metrics._Gauge:
    return metrics.get_meter("docuchat").create_gauge(name)


@cache
def _histogram(name: str) -> metrics.Histogram:
    return metrics.get_meter("docuchat").create_histogram(name, unit="s")


def is_tracing() -> bool:
    """Tells whether anybody collects spans."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


def trace_carrier() -> dict[str, str]:
    """Returns the current trace context (W3C), to store with work that is done later."""
    carrier: dict[str, str] = {}
    # An empty context is the rule where nobody collects, and looking into it costs as much as a full one.
    if context.get_current():
        propagate.inject(carrier)
    return carrier


def span(
    name: str,
    carrier: Mapping[str, str] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    **attributes: AttributeValue,
) -> AbstractContextManager[Span]:
    """Opens a span; with a carrier it continues the trace the carrier was taken from.

    Attribute names use underscores for dots: rpc_method becomes rpc.method.
    Where nobody collects, only the trace of a carrier goes on, for whoever is called.
    """
    if carrier or is_tracing():
        return _open_span(name, carrier, kind, attributes)
    return NO_SPAN


@contextmanager
def _open_span(
    name: str, carrier: Mapping[str, str] | None, kind: SpanKind, attributes: Mapping[str, AttributeValue]
) -> Iterator[Span]:
    parent = propagate.extract(carrier) if carrier else None
    named = {key.replace("_", "."): value for key, value in attributes.items()}
    tracer = trace.get_tracer("docuchat")
    with tracer.start_as_current_span(name, context=parent, kind=kind, attributes=named) as opened:
        yield opened
