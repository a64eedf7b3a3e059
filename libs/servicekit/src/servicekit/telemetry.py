"""Traces, metrics and logs: OpenTelemetry when a collector is configured, JSON lines always."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOBase
from typing import TextIO, cast

import structlog
from opentelemetry import metrics, propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
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


def configure_telemetry(service_name: str, version: str, log_level: str = "INFO") -> None:
    """Sets up logs, and exporters if OTEL_EXPORTER_OTLP_ENDPOINT names a collector; call once per process."""
    configure_logs(service_name, log_level)
    if not os.environ.get(ENDPOINT):
        return
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


class LossyStream(TextIOBase):
    """A stream that drops what it cannot write, and counts it: no call may fail because a disk is full of its log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes if that works."""
        # A closed stream is a ValueError.
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            count_event("log.line.dropped")
            return len(text)

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
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", LossyStream(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service_name)


def add_trace_id(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Adds the current trace's id, so that a log line leads to its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
    return event


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns a logger whose events carry its name."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(component=name)
    return logger


def count_event(name: str, **attributes: AttributeValue) -> None:
    """Adds one to a counter, such as `background.round.failed`."""
    metrics.get_meter("docuchat").create_counter(name).add(1, attributes)


def trace_carrier() -> dict[str, str]:
    """Returns the current trace context (W3C), to store with work that is done later."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


@contextmanager
def span(
    name: str,
    carrier: Mapping[str, str] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    **attributes: AttributeValue,
) -> Iterator[Span]:
    """Opens a span; with a carrier it continues the trace the carrier was taken from.

    Attribute names use underscores for dots: rpc_method becomes rpc.method.
    """
    context = propagate.extract(carrier) if carrier is not None else None
    named = {key.replace("_", "."): value for key, value in attributes.items()}
    tracer = trace.get_tracer("docuchat")
    with tracer.start_as_current_span(name, context=context, kind=kind, attributes=named) as opened:
        yield opened
