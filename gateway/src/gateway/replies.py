"""Errors that Envoy makes itself, in the same form as the errors of the services."""

import base64
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from gateway.clusters import Node, add_header, typed

DOMAIN = "gateway.docuchat"


@dataclass(frozen=True)
class Reply:
    """One kind of error: when it applies, and what the client reads."""

    reason: str
    grpc_code: int
    """The number of the canonical code."""
    message: str
    statuses: tuple[int, int]
    """The first and last HTTP status it applies to."""
    flags: tuple[str, ...] = ()
    """Only with one of these Envoy response flags; with any if empty."""
    when: Node | None = None
    """A further condition, as an Envoy access log filter."""
    rpc_code: int | None = None
    """The code for gRPC callers, where that is another."""

    @property
    def rpc_status(self) -> Status:
        """What gRPC callers get; its message must be fixed, since it is also encoded beforehand."""
        detail = Any()
        detail.Pack(ErrorInfo(reason=self.reason, domain=DOMAIN))
        message = self.message.replace(": %LOCAL_REPLY_BODY%", ".")
        return Status(code=self.rpc_code or self.grpc_code, message=message, details=[detail])


def _details_begin(prefix: str) -> Node:
    """Matches what Envoy notes about where in it a reply was made."""
    config = typed(
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        expression=f'response.code_details.startsWith("{prefix}")',
    )
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": config}}


def _refused_by_lua(reason: str) -> Node:
    return {"header_filter": {"header": {"name": "x-docuchat-refusal", "string_match": {"exact": reason}}}}


AT_ITS_LIMIT = "The gateway is at its limit; try again in a few seconds."
BAD_QUERY = _details_begin("early_grpc_json_transcode_failure")
BAD_BODY = _details_begin("grpc_json_transcode_failure")


REPLIES = (
    Reply(
        "UNKNOWN_FIELD",
        3,
        "The method does not know a field: %LOCAL_REPLY_BODY%",
        (400, 400),
        when=_refused_by_lua("UNKNOWN_FIELD"),
    ),
    Reply(
        "INVALID_JSON",
        3,
        "The body does not fit the method: %LOCAL_REPLY_BODY%",
        (400, 400),
        when=_refused_by_lua("INVALID_JSON"),
    ),
    Reply(
        "INVALID_HTTP",
        3,
        "The grpc-timeout is up to eight digits and one of the letters HMSmun.",
        (400, 400),
        when=_refused_by_lua("INVALID_TIMEOUT"),
    ),
    Reply(
        "INVALID_MESSAGE",
        3,
        "The body is not one whole gRPC message: five bytes that announce its length, then as many bytes as they say.",
        (400, 400),
        when=_refused_by_lua("INVALID_MESSAGE"),
    ),
    # In the words of the services, which refuse what passes here.
    Reply(
        "TOKEN_MISSING",
        16,
        "Send your access token as 'authorization: Bearer <token>'.",
        (401, 401),
        when=_refused_by_lua("TOKEN_MISSING"),
    ),
    Reply(
        "TOKEN_EXPIRED",
        16,
        "The access token has expired; get a new one with your refresh token.",
        (401, 401),
        when=_refused_by_lua("TOKEN_EXPIRED"),
    ),
    Reply(
        "TOKEN_INVALID",
        16,
        "Put 'Bearer ' before the token: 'authorization: Bearer <token>'.",
        (401, 401),
        when=_refused_by_lua("TOKEN_WITHOUT_BEARER"),
    ),
    Reply("TOKEN_INVALID", 16, "The access token is not valid here; log in to get a new one.", (401, 401)),
    Reply(
        "INVALID_QUERY", 3, "The path or query does not fit the method: %LOCAL_REPLY_BODY%", (400, 400), when=BAD_QUERY
    ),
    Reply("INVALID_JSON", 3, "The body does not fit the method: %LOCAL_REPLY_BODY%", (400, 400), when=BAD_BODY),
    Reply(
        "INVALID_HTTP",
        3,
        "The request is not valid HTTP, or has two hosts, an underscore in a header name or a slash as an escape.",
        (400, 400),
    ),
    Reply("INVALID_HTTP", 3, "The transfer-encoding is not one the gateway reads; send chunked or none.", (501, 501)),
    Reply(
        "UNKNOWN_PATH",
        5,
        "Nothing answers to this method and path; check both for a typing error.",
        (404, 404),
        rpc_code=12,
    ),
    Reply(
        "RATE_LIMITED",
        8,
        "Too many calls in this minute; wait for as long as retry-after says, or spread them.",
        (429, 429),
    ),
    Reply("METHOD_NOT_ALLOWED", 12, "This path does not answer to this HTTP method.", (405, 405)),
    Reply("REQUEST_TIMEOUT", 4, "The request did not arrive in time; send it again, faster.", (408, 408)),
    Reply("BODY_TOO_LARGE", 3, "The body is larger than the gateway takes; send less at once.", (413, 413)),
    Reply("UNSUPPORTED_MEDIA_TYPE", 3, "The content-type is not one this path takes.", (415, 415)),
    Reply(
        "HEADERS_TOO_LARGE", 3, "The headers are larger than the gateway takes; send fewer or shorter ones.", (431, 431)
    ),
    Reply("OVERLOADED", 8, AT_ITS_LIMIT, (503, 503), ("UO", "OM")),
    Reply("OVERLOADED", 8, AT_ITS_LIMIT, (503, 503), when=_details_begin("overload")),
    Reply(
        "UPSTREAM_UNAVAILABLE",
        14,
        "The service behind this path does not answer now; try again in a few seconds.",
        (502, 503),
    ),
    Reply("UPSTREAM_TIMEOUT", 4, "The service behind this path took too long; try again or ask for less.", (504, 504)),
    Reply(
        "GATEWAY_ERROR", 13, "The gateway could not handle the request; the request id finds it in the log.", (500, 599)
    ),
    Reply("REQUEST_REFUSED", 3, "The gateway refused the request: %LOCAL_REPLY_BODY%", (400, 499)),
)
"""In the order in which they are tried: the first that applies is sent."""


def build_local_replies() -> Node:
    """Returns the local_reply_config: a sentence for gRPC callers, a google.rpc.Status as JSON for all others.

    Replies that are no errors, such as the console's files, stay as they are.
    """
    made_here = [mapper for reply in REPLIES for mapper in (_grpc_mapper(reply), _json_mapper(reply))]
    return {"mappers": [*_handed_on_mappers(), *made_here]}


def _handed_on_mappers() -> list[Node]:
    """Returns what hands on the refusals of auth: headers for gRPC callers, a body for all others."""
    refused = _details_begin("ext_authz_denied")
    return [
        {
            "filter": _all_of(refused, *_speaks_grpc()),
            "status_code": 200,
            "body_format_override": {"text_format_source": {"inline_string": ""}},
        },
        {
            "filter": _all_of(refused, _status("GE", 400)),
            "body_format_override": {
                "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
                "content_type": "application/json",
            },
        },
    ]


def _grpc_mapper(reply: Reply) -> Node:
    """Returns the answer that consists of headers alone, which gRPC and gRPC-Web read alike.

    A body would become grpc-message for the one and stay a body for the other.
    """
    status = reply.rpc_status
    headers = {
        "grpc-status": str(status.code),
        "grpc-message": status.message,
        "grpc-status-details-bin": _encode(status),
    }
    return {
        "filter": _all_of(*_conditions(reply), *_speaks_grpc()),
        "status_code": 200,
        "headers_to_add": [add_header(name, value) for name, value in headers.items()],
        "body_format_override": {"text_format_source": {"inline_string": ""}},
    }


def _encode(status: Status) -> str:
    return base64.b64encode(status.SerializeToString(deterministic=True)).rstrip(b"=").decode()


def _json_mapper(reply: Reply) -> Node:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reply.reason,
        "domain": DOMAIN,
        "metadata": {"request_id": "%REQ(X-REQUEST-ID)%"},
    }
    return {
        "filter": _all_of(*_conditions(reply)),
        "body_format_override": {
            "json_format": {"code": reply.grpc_code, "message": reply.message, "details": [info]},
            "omit_empty_values": True,
        },
    }


def _conditions(reply: Reply) -> list[Node]:
    first, last = reply.statuses
    conditions = [_status("GE", first), _status("LE", last)]
    if reply.flags:
        conditions.append({"response_flag_filter": {"flags": list(reply.flags)}})
    if reply.when:
        conditions.append(reply.when)
    return conditions


def _speaks_grpc() -> list[Node]:
    """Tells gRPC callers from JSON callers whose request has been transcoded: only those have an original path."""
    return [
        {"header_filter": {"header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}}},
        {"header_filter": {"header": {"name": "x-envoy-original-path", "present_match": False}}},
    ]


def _status(operator: str, value: int) -> Node:
    runtime_key = f"docuchat.local_reply.{operator.lower()}_{value}"
    return {
        "status_code_filter": {
            "comparison": {"op": operator, "value": {"default_value": value, "runtime_key": runtime_key}}
        }
    }


def _all_of(*filters: Node) -> Node:
    return {"and_filter": {"filters": list(filters)}}
