"""HTTP filters, in the order in which a request meets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.clusters import SELF_CLUSTER, Node, typed
from gateway.config import GatewayConfig
from gateway.descriptors import PublicMethod
from gateway.exchange import EXCHANGE_FILTER, build_exchange
from gateway.rate_limits import RATE_LIMIT_FILTER, build_rate_limit

FILTERS = "envoy.extensions.filters.http"
JWT_FILTER = "envoy.filters.http.jwt_authn"
BUFFER_FILTER = "envoy.filters.http.buffer"
ADMIT_FILTER = "docuchat.admit"
RECEIVE_FILTER = "docuchat.receive"
TRANSCODER_FILTER = "envoy.filters.http.grpc_json_transcoder"


@dataclass(frozen=True)
class GeneratedFiles:
    """What filters read from beside the configuration; absolute paths."""

    descriptors: Path
    """The FileDescriptorSet of the public services."""
    admit: Path
    """The Lua source that judges the headers."""
    receive: Path
    """The Lua source that judges the whole body."""
    recall: Path
    """The Lua source that remembers what auth has traded."""


def build_filters(config: GatewayConfig, methods: Sequence[PublicMethod], files: GeneratedFiles) -> list[Node]:
    """Returns the filter chain."""
    services = sorted({method.service for method in methods})
    return [
        _filter("envoy.filters.http.cors", typed(f"{FILTERS}.cors.v3.Cors")),
        _filter("docuchat.recall", _lua(files.recall)),
        # Off but for routes that need a token, and there but for requests that show what only auth can judge.
        _filter(EXCHANGE_FILTER, build_exchange(config)) | {"disabled": True},
        _filter(JWT_FILTER, _jwt_authn(config)),
        _filter(ADMIT_FILTER, _lua(files.admit)),
        _filter(RATE_LIMIT_FILTER, build_rate_limit(config)),
        _filter(BUFFER_FILTER, typed(f"{FILTERS}.buffer.v3.Buffer", **_whole(config.limits.smallest_body_bytes))),
        _filter("envoy.filters.http.grpc_web", typed(f"{FILTERS}.grpc_web.v3.GrpcWeb")),
        _filter(RECEIVE_FILTER, _lua(files.receive)),
        _filter(TRANSCODER_FILTER, _transcoder(config, services, files.descriptors)),
        _filter("envoy.filters.http.router", typed(f"{FILTERS}.router.v3.Router", suppress_envoy_headers=True)),
    ]


def _filter(name: str, config: Node) -> Node:
    return {"name": name, "typed_config": config}


def _jwt_authn(config: GatewayConfig) -> Node:
    """Verifies tokens and writes down what was found; the next filter refuses, where the route asks for a token.

    Nothing is believed for it: the service behind verifies every token itself.
    """
    return typed(
        f"{FILTERS}.jwt_authn.v3.JwtAuthentication",
        providers={"docuchat": _jwt_provider(config)},
        rules=[
            {
                "match": {"prefix": "/"},
                "requires": {
                    "requires_any": {"requirements": [{"provider_name": "docuchat"}, {"allow_missing_or_failed": {}}]}
                },
            }
        ],
    )


def _jwt_provider(config: GatewayConfig) -> Node:
    return {
        "issuer": config.issuer,
        "audiences": [config.audience],
        "forward": True,
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "payload_in_metadata": "claims",
        "failed_status_in_metadata": "failure",
        "clock_skew_seconds": 60,
        "remote_jwks": {
            "http_uri": {
                "uri": f"http://{config.listen.host}:{config.listen.port}/.well-known/jwks.json",
                "cluster": SELF_CLUSTER,
                "timeout": "2s",
            },
            "cache_duration": "300s",
            # The listener must not wait for keys that come through itself.
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        },
    }


def _lua(script: Path) -> Node:
    return typed(f"{FILTERS}.lua.v3.Lua", default_source_code={"filename": str(script)})


def _whole(limit: int) -> Node:
    return {"max_request_bytes": limit}


def unbuffered() -> Node:
    """Returns the per-route configuration that lets a request's body through as it comes."""
    return {BUFFER_FILTER: typed(f"{FILTERS}.buffer.v3.BufferPerRoute", disabled=True)}


def buffered(limit: int) -> Node:
    """Returns the per-route configuration that holds a request's body until it is whole, up to this many bytes."""
    return {BUFFER_FILTER: typed(f"{FILTERS}.buffer.v3.BufferPerRoute", buffer=_whole(limit))}


def route_metadata(
    *, token: bool, counted_as: str = "", body_bytes: int | None = None, message: str = "", frame: bool = False
) -> Node:
    """Returns what the Lua filters read from a route.

    Whether a caller needs a token; what a call counts as, if it counts; the largest body; the type a JSON body
    holds; whether a body is one gRPC message.
    """
    said: Node = {"token": token, "counted_as": counted_as, "body_bytes": body_bytes}
    admit = {name: value for name, value in said.items() if value not in {"", None}}
    receive = ({"message": message} if message else {}) | ({"frame": True} if frame else {})
    return {"metadata": {"filter_metadata": {ADMIT_FILTER: admit, RECEIVE_FILTER: receive}}}


def without_transcoder() -> Node:
    """Returns a direct response's configuration: the transcoder would refuse the path before the route is asked."""
    return {TRANSCODER_FILTER: typed("envoy.config.route.v3.FilterConfig", disabled=True)}


def _transcoder(config: GatewayConfig, services: list[str], descriptors: Path) -> Node:
    return typed(
        f"{FILTERS}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(descriptors),
        services=services,
        convert_grpc_status=True,
        # Forms and URLSearchParams write a blank as a plus sign.
        query_param_unescape_plus=True,
        max_request_body_size=config.limits.message_bytes,
        max_response_body_size=config.limits.message_bytes,
        print_options={
            "preserve_proto_field_names": True,
            "always_print_primitive_fields": True,
            "stream_newline_delimited": True,
            "stream_sse_style_delimited": True,
        },
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    )
