"""Routes: the public methods and nothing else."""

import re
from collections.abc import Iterable, Sequence

from gateway.clusters import NOWHERE_CLUSTER, REFLECTION_CLUSTER, Node, typed
from gateway.config import GatewayConfig, Limits
from gateway.descriptors import PublicMethod
from gateway.filters import unbuffered, without_transcoder
from gateway.pages import build_page_routes

_REFLECTION_PATHS = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_HEALTH_PATHS = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch")

_VARIABLE = re.compile(r"\{[^}]+\}")
_NOT_GRPC = {
    "name": "content-type",
    "string_match": {"prefix": "application/grpc"},
    "invert_match": True,
    "treat_missing_header_as_empty": True,
}

_CORS_REQUEST_HEADERS = (
    "authorization,content-type,x-grpc-web,x-user-agent,grpc-timeout,connect-protocol-version,connect-timeout-ms,"
    "traceparent,tracestate"
)
_CORS_RESPONSE_HEADERS = "grpc-status,grpc-message,grpc-status-details-bin,x-request-id,retry-after,content-disposition"


def build_virtual_host(config: GatewayConfig, methods: Sequence[PublicMethod]) -> Node:
    """Return the one virtual host: a route for each public method, then the answer to everything else."""
    routes = [_method_route(method, config.limits) for method in methods]
    if config.reflection:
        routes += [_local_route(path, REFLECTION_CLUSTER, config.limits) for path in _REFLECTION_PATHS]
        routes += [_local_route(path, "chat", config.limits) for path in _HEALTH_PATHS]
    pages = build_page_routes(config.console) if config.console else []
    others = _wrong_verb_routes(methods)
    return {
        "name": "docuchat",
        "domains": ["*"],
        "typed_per_filter_config": {"envoy.filters.http.cors": _cors_policy(config.cors_origins)},
        "routes": [*routes, *pages, *others, *_json_routes(methods), _unknown_method_route()],
    }


def _method_route(method: PublicMethod, limits: Limits) -> Node:
    times = _stream_times(method, limits) if method.streaming else _unary_times(limits)
    route = _route(method.path, method.cluster, times)
    return route | {"typed_per_filter_config": unbuffered()} if method.client_streaming else route


def _local_route(path: str, cluster: str, limits: Limits) -> Node:
    return _route(path, cluster, _times(limits.stream_seconds, limits.answer_idle_seconds))


def _route(path: str, cluster: str, times: Node) -> Node:
    return {"match": {"path": path}, "route": {"cluster": cluster, **times, "retry_policy": _retry_policy()}}


def _unary_times(limits: Limits) -> Node:
    return _times(limits.unary_seconds, limits.unary_seconds)


def _stream_times(method: PublicMethod, limits: Limits) -> Node:
    idle = limits.upload_idle_seconds if method.client_streaming else limits.answer_idle_seconds
    return _times(limits.stream_seconds, idle)


def _times(total: int, idle: int) -> Node:
    return {
        "timeout": f"{total}s",
        "idle_timeout": f"{idle}s",
        # A client's own grpc-timeout counts too. Its limit is a little longer than ours, so that where both would end
        # a call it is ours that does, with its reason.
        "max_stream_duration": {"grpc_timeout_header_max": f"{total + 1}s"},
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
        verbs.setdefault(method.http_path, set()).add(method.http_verb)
    return [_wrong_verb_route(path, sorted(found)) for path, found in verbs.items()]


def _wrong_verb_route(path: str, verbs: Sequence[str]) -> Node:
    passing = "|".join([*verbs, "OPTIONS"])
    wrong = {"name": ":method", "string_match": {"safe_regex": {"regex": passing}}, "invert_match": True}
    pattern = "[^/:]+".join(re.escape(part) for part in _VARIABLE.split(path))
    allow = {"header": {"key": "allow", "value": ", ".join(verbs)}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {
        "match": {"safe_regex": {"regex": pattern}, "headers": [wrong, _NOT_GRPC]},
        "direct_response": {"status": 405},
        "response_headers_to_add": [allow],
        "typed_per_filter_config": without_transcoder(),
    }


def _json_routes(methods: Iterable[PublicMethod]) -> list[Node]:
    """Return the routes that hold until the transcoder has found the method behind a JSON path.

    The transcoder refuses what it does not know, so nothing is ever sent to their cluster, and it has no hosts.
    A direct response in their place would make the CORS filter pass over the request.
    """
    uploads = [_upload_route(method) for method in methods if method.client_streaming]
    rest = {"match": {"prefix": "/", "headers": [_NOT_GRPC]}, "route": {"cluster": NOWHERE_CLUSTER}}
    return [*uploads, rest]


def _upload_route(method: PublicMethod) -> Node:
    verb = {"name": ":method", "string_match": {"exact": method.http_verb}}
    return {
        "match": {"path": method.http_path, "headers": [verb]},
        "route": {"cluster": NOWHERE_CLUSTER},
        "typed_per_filter_config": unbuffered(),
    }


def _unknown_method_route() -> Node:
    """Refuse what is left: gRPC methods that are not public."""
    return {"match": {"prefix": "/"}, "direct_response": {"status": 404}}


def _cors_policy(origins: Iterable[str]) -> Node:
    return typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in origins],
        allow_methods="GET,POST,PUT,PATCH,DELETE,OPTIONS",
        allow_headers=_CORS_REQUEST_HEADERS,
        expose_headers=_CORS_RESPONSE_HEADERS,
        max_age="600",
        allow_credentials=False,
        forward_not_matching_preflights=False,
    )
