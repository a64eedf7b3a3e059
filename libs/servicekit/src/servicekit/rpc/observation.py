"""A span and a duration for every call served (OpenTelemetry RPC conventions)."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import grpc
import structlog
from opentelemetry import metrics
from opentelemetry.trace import Span, SpanKind, StatusCode

from servicekit.rpc.call import Call, is_infrastructure
from servicekit.telemetry import get_logger, span

OURS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


@asynccontextmanager
async def observation_layer(call: Call) -> AsyncIterator[None]:
    """Records a server span, the metric rpc.server.call.duration in seconds, and one log line."""
    if is_infrastructure(call.method):
        yield
        return
    carrier = {key: value for key, value in call.metadata if isinstance(value, str)}
    started = time.perf_counter()
    with (
        structlog.contextvars.bound_contextvars(request_id=call.request_id),
        span(
            call.method[1:], carrier, kind=SpanKind.SERVER, rpc_system_name="grpc", rpc_method=call.method[1:]
        ) as opened,
    ):
        code = grpc.StatusCode.CANCELLED
        try:
            yield
            code = read_code(call)
        except Exception:
            code = read_code(call)
            raise
        finally:
            record(call, code, opened, time.perf_counter() - started)


def record(call: Call, code: grpc.StatusCode, opened: Span, seconds: float) -> None:
    """Writes down how a call ended; only failures of ours make the span an error."""
    opened.set_attribute("rpc.response.status_code", code.name)
    if code in OURS:
        opened.set_status(StatusCode.ERROR, code.name)
    duration_histogram().record(seconds, {"rpc.method": call.method[1:], "rpc.response.status_code": code.name})
    get_logger("rpc").info("call", method=call.method[1:], code=code.name, duration_ms=round(seconds * 1000, 1))


@cache
def duration_histogram() -> metrics.Histogram:
    """Returns the instrument, made at the first call, when the exporters are in place."""
    return metrics.get_meter("docuchat").create_histogram("rpc.server.call.duration", unit="s")


def read_code(call: Call) -> grpc.StatusCode:
    """Returns the status the call ends with."""
    if call.context.cancelled():
        return grpc.StatusCode.CANCELLED
    code = call.context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    return next((known for known in grpc.StatusCode if known.value[0] == code), grpc.StatusCode.OK)
