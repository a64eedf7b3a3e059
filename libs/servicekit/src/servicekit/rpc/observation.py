"""A span and a duration for every call served (OpenTelemetry RPC conventions)."""

import time
from types import TracebackType

import grpc
import structlog
from opentelemetry import propagate
from opentelemetry.trace import SpanKind, StatusCode

from servicekit.rpc.call import Call
from servicekit.telemetry import Logger, record_seconds, span

BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
CARRIER_KEYS = frozenset(propagate.get_global_textmap().fields)

OURS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


class Observation:
    """Records a server span, the metric rpc.server.call.duration in seconds, and one log line."""

    __slots__ = ("_call", "_log", "_name", "_scope", "_span", "_started", "_tokens")

    def __init__(self, call: Call, log: Logger) -> None:
        self._call = call
        self._log = log
        self._name = call.method[1:]

    def __enter__(self) -> None:
        self._started = time.perf_counter()
        self._tokens = structlog.contextvars.bind_contextvars(request_id=self._call.request_id)
        carrier = {key: value for key, value in self._call.metadata if key in CARRIER_KEYS and isinstance(value, str)}
        self._scope = span(self._name, carrier, kind=SpanKind.SERVER, rpc_system_name="grpc", rpc_method=self._name)
        self._span = self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_cut_off = error is not None and not isinstance(error, Exception)
        code = grpc.StatusCode.CANCELLED if is_cut_off else read_code(self._call)
        self._record(code.name, is_ours=code in OURS)
        self._scope.__exit__(kind, error, trace)
        structlog.contextvars.reset_contextvars(**self._tokens)

    def _record(self, code: str, *, is_ours: bool) -> None:
        seconds = time.perf_counter() - self._started
        self._span.set_attribute("rpc.response.status_code", code)
        # Only failures of ours make the span an error.
        if is_ours:
            self._span.set_status(StatusCode.ERROR, code)
        record_seconds(
            "rpc.server.call.duration", seconds, {"rpc.method": self._name, "rpc.response.status_code": code}
        )
        self._log.info("call", method=self._name, code=code, duration_ms=round(seconds * 1000, 1))


def read_code(call: Call) -> grpc.StatusCode:
    """Returns the status the call ends with."""
    if call.context.cancelled():
        return grpc.StatusCode.CANCELLED
    code = call.context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    return BY_NUMBER.get(code, grpc.StatusCode.OK)
