"""Routes: the public methods and nothing else."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.bounds import largest_body
from gateway.clusters import NOWHERE_CLUSTER, REFLECTION_CLUSTER, Node, add_header, typed
from gateway.config import GatewayConfig, Limits
from gateway.descriptors import PublicMethod
from gateway.exchange import exchanged
from gateway.filters import buffered, route_metadata, unbuffered, without_transcoder
from gateway.pages import build_page_routes
from gateway.rate_limits import classify
from gateway.strict_json import find_body_message

REFLECTION_PATHS = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
HEALTH_PATHS = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch")

ANSWER_HEADERS = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))
"""What tokens and documents are answered with, unless the answer has its own."""

VARIABLE = re.compile(r"\{[^}]+\}")
NOT_GRPC = {
    "name": "content-type",
    "string_match": {"prefix": "application/grpc"},
    "invert_match": True,
    "treat_missing_header_as_empty": True,
}

CORS_REQUEST_HEADERS = (
    "authorization,content-type,x-grpc-web,x-user-agent,grpc-timeout,connect-protocol-version,connect-timeout-ms,"
    "traceparent,tracestate"
)
CORS_RESPONSE_HEADERS = (
    "grpc-status,grpc-message,grpc-status-details-bin,x-request-id,retry-after,content-disposition,"
    "x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset"
)


def build_virtual_host(config: GatewayConfig, methods: Sequence[PublicMethod]) -> Node:
    """Returns the one virtual host: routes for each public method, then the answer to everything else."""
    limits = config.limits
    routes = [_method_route(method, limits) for method in methods]
    if config.reflection:
        routes += [_local_route(path, REFLECTION_CLUSTER, limits) for path in REFLECTION_PATHS]
        routes += [_local_route(path, "chat", limits) for path in HEALTH_PATHS]
    pages = build_page_routes(config.console) if config.console else []
    return {
        "name": "docuchat",
        "domains": ["*"],
        "typed_per_filter_config": {"envoy.filters.http.cors": _cors_policy(config)},
        # What they said has become the token; to services they must mean nothing.
        "request_headers_to_remove": [config.tenant_header, config.on_behalf_of_header],
        "response_headers_to_add": [add_header(name, value, "ADD_IF_ABSENT") for name, value in ANSWER_HEADERS],
        "routes": [
            *routes,
            *pages,
            *_wrong_verb_routes(methods),
            *_json_routes(methods, limits),
            _unknown_method_route(),
        ],
    }


def _method_route(method: PublicMethod, limits: Limits) -> Node:
    """Returns the route of the gRPC path, which calls that were JSON reach once they are whole."""
    total, idle = _answer_seconds(method, limits)
    times = _times(total, idle, _receive_seconds(_body_bytes(method, limits), limits))
    return _route(method.path, method.cluster, times) | _receives(method, limits, frame=not method.client_streaming)


def _answer_seconds(method: PublicMethod, limits: Limits) -> tuple[int, int]:
    """Returns how long the whole of a call may take once it is received, and how long it may be silent."""
    if not method.streaming:
        return limits.unary_seconds, limits.unary_seconds
    return limits.stream_seconds, limits.upload_idle_seconds if method.client_streaming else limits.answer_idle_seconds


def _receives(method: PublicMethod, limits: Limits, **reads: Any) -> Node:  # noqa: ANN401 (see route_metadata)
    """Returns what a route says about requests on their way in: an upload passes as it comes, the rest is held."""
    size = None if method.client_streaming else _body_bytes(method, limits)
    metadata = route_metadata(token=method.needs_token, counted_as=classify(method), body_bytes=size, **reads)
    body = buffered(size) if size else unbuffered()
    per_filter = body | exchanged() if method.needs_token else body
    return {"name": method.path, **metadata, "typed_per_filter_config": per_filter}


def _body_bytes(method: PublicMethod, limits: Limits) -> int:
    needed = largest_body(method.input_type, limits.smallest_body_bytes, limits.largest_body_bytes)
    return -(-needed // limits.smallest_body_bytes) * limits.smallest_body_bytes


def _local_route(path: str, cluster: str, limits: Limits) -> Node:
    return _route(path, cluster, _times(limits.stream_seconds, limits.answer_idle_seconds, limits.receive_seconds))


def _route(path: str, cluster: str, times: Node) -> Node:
    return {"match": {"path": path}, "route": {"cluster": cluster, **times, "retry_policy": _retry_policy()}}


def _times(total: int, idle: int, receive: int) -> Node:
    return {
        "timeout": f"{total}s",
        "idle_timeout": f"{idle}s",
        # The timeout begins when a request is whole, this with its first byte. A client's own grpc-timeout counts too;
        # its limit is a little longer than ours, so that where both would end a call it is ours that does, with its
        # reason.
        "max_stream_duration": {
            "max_stream_duration": f"{total + receive}s",
            "grpc_timeout_header_max": f"{total + 1}s",
        },
    }


def _retry_policy() -> Node:
    """Retry only what no server has begun to work on, so a retry can never do a thing twice."""
    return {
        "retry_on": "connect-failure,refused-stream",
        "num_retries": 2,
        "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
    }


def _wrong_verb_routes(methods: Iterable[PublicMethod]) -> list[Node]:
    """Answer 405 where the path is right and the verb is not; OPTIONS is left to the CORS filter."""
    verbs: dict[str, set[str]] = {}
    for method in methods:
        # Not by template: two methods may call the same part of a path by other names.
        verbs.setdefault(path_pattern(method.http_path), set()).add(method.http_verb)
    return [_wrong_verb_route(pattern, sorted(found)) for pattern, found in verbs.items()]


def _wrong_verb_route(pattern: str, verbs: Sequence[str]) -> Node:
    passing = "|".join([*verbs, "OPTIONS"])
    wrong = {"name": ":method", "string_match": {"safe_regex": {"regex": passing}}, "invert_match": True}
    return {
        "match": {"safe_regex": {"regex": pattern}, "headers": [wrong, NOT_GRPC]},
        "direct_response": {"status": 405},
        "response_headers_to_add": [add_header("allow", ", ".join(verbs))],
        "typed_per_filter_config": without_transcoder(),
    }


def path_pattern(template: str) -> str:
    """Turns a google.api.http path template into a regular expression."""
    return "[^/:]+".join(re.escape(part) for part in VARIABLE.split(template))


def _json_routes(methods: Iterable[PublicMethod], limits: Limits) -> list[Node]:
    """Returns the routes that hold until the transcoder has found the method behind a JSON path.

    The transcoder refuses what it does not know, so nothing is ever sent to their cluster, and it has no hosts.
    A direct response in their place would make the CORS filter pass over the request.
    """
    rest = _nowhere({"prefix": "/", "headers": [NOT_GRPC]}, _receive_seconds(limits.smallest_body_bytes, limits))
    return [*(_json_route(method, limits) for method in methods), rest]


def _json_route(method: PublicMethod, limits: Limits) -> Node:
    verb = {"name": ":method", "string_match": {"exact": method.http_verb}}
    match = {"safe_regex": {"regex": path_pattern(method.http_path)}, "headers": [verb, NOT_GRPC]}
    body = find_body_message(method)
    upload = method.client_streaming
    seconds = limits.stream_seconds if upload else _receive_seconds(_body_bytes(method, limits), limits)
    return _nowhere(match, seconds) | _receives(method, limits, message=body.full_name if body else "")


def _nowhere(match: Node, seconds: int) -> Node:
    """Returns a route to no host; a request has so many seconds to become whole on it."""
    times = {"max_stream_duration": {"max_stream_duration": f"{seconds}s"}}
    return {"match": match, "route": {"cluster": NOWHERE_CLUSTER, **times}}


def _receive_seconds(size: int, limits: Limits) -> int:
    return limits.receive_seconds + size // limits.receive_bytes_per_second


def _unknown_method_route() -> Node:
    """Refuses what is left: gRPC methods that are not public."""
    return {"match": {"prefix": "/"}, "direct_response": {"status": 404}}


def _cors_policy(config: GatewayConfig) -> Node:
    return typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in config.cors_origins],
        allow_methods="GET,POST,PUT,PATCH,DELETE,OPTIONS",
        allow_headers=f"{CORS_REQUEST_HEADERS},{config.tenant_header},{config.on_behalf_of_header}",
        expose_headers=CORS_RESPONSE_HEADERS,
        max_age="600",
        allow_credentials=False,
        forward_not_matching_preflights=False,
    )
