"""HTTP filters, in the order in which a request meets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.clusters import SELF_CLUSTER, Node, typed
from gateway.config import GatewayConfig
from gateway.descriptors import PublicMethod

_FILTERS = "envoy.extensions.filters.http"
JWT_FILTER = "envoy.filters.http.jwt_authn"
BUFFER_FILTER = "envoy.filters.http.buffer"
TRANSCODER_FILTER = "envoy.filters.http.grpc_json_transcoder"


@dataclass(frozen=True)
class GeneratedFiles:
    """What filters read from beside the configuration; absolute paths."""

    descriptors: Path
    """The FileDescriptorSet of the public services."""
    script: Path
    """The Lua source that refuses unknown JSON fields."""


def build_filters(config: GatewayConfig, methods: Sequence[PublicMethod], files: GeneratedFiles) -> list[Node]:
    """Return the filter chain."""
    services = sorted({method.service for method in methods})
    return [
        _filter("envoy.filters.http.cors", typed(f"{_FILTERS}.cors.v3.Cors")),
        _filter(JWT_FILTER, _jwt_authn(config)),
        _filter(BUFFER_FILTER, typed(f"{_FILTERS}.buffer.v3.Buffer", max_request_bytes=config.limits.body_bytes)),
        _filter("envoy.filters.http.lua", _strict_json(files.script)),
        _filter("envoy.filters.http.grpc_web", typed(f"{_FILTERS}.grpc_web.v3.GrpcWeb")),
        _filter(TRANSCODER_FILTER, _transcoder(config, services, files.descriptors)),
        _filter("envoy.filters.http.router", typed(f"{_FILTERS}.router.v3.Router", suppress_envoy_headers=True)),
    ]


def _filter(name: str, config: Node) -> Node:
    return {"name": name, "typed_config": config}


def _jwt_authn(config: GatewayConfig) -> Node:
    """Verify tokens for the access log only.

    A missing or bad token passes: the service behind verifies every token itself and owns the one error for it.
    """
    return typed(
        f"{_FILTERS}.jwt_authn.v3.JwtAuthentication",
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
        "payload_in_metadata": "claims",
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


def _strict_json(script: Path) -> Node:
    return typed(f"{_FILTERS}.lua.v3.Lua", default_source_code={"filename": str(script)})


def unbuffered() -> Node:
    """Return the per-route configuration that lets a request's body through as it comes."""
    return {BUFFER_FILTER: typed(f"{_FILTERS}.buffer.v3.BufferPerRoute", disabled=True)}


def without_transcoder() -> Node:
    """Return the configuration of a direct response: the transcoder would refuse the path before the route is asked."""
    return {TRANSCODER_FILTER: typed("envoy.config.route.v3.FilterConfig", disabled=True)}


def _transcoder(config: GatewayConfig, services: list[str], descriptors: Path) -> Node:
    return typed(
        f"{_FILTERS}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
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
