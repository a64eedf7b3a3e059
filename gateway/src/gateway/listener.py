"""The listener: what reaches the filters at all, and what is written down about it."""

from collections.abc import Sequence

from gateway.clusters import OTLP_CLUSTER, Node, socket_address, typed
from gateway.config import GatewayConfig
from gateway.descriptors import PublicMethod
from gateway.filters import JWT_FILTER, GeneratedFiles, build_filters
from gateway.pages import LARGEST_FILE_BYTES
from gateway.replies import build_local_replies
from gateway.routes import build_virtual_host

MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
# No service reads binary metadata, and one that is not base64 would end as an error of gRPC's own.
INTERNAL_HEADERS = r"x-(envoy|docuchat)-.*|x-(user-id|role)|.*-bin"
USUAL_TENANT_HEADER = "x-tenant-id"


def build_listener(config: GatewayConfig, methods: Sequence[PublicMethod], files: GeneratedFiles) -> Node:
    """Returns the one listener for gRPC, gRPC-Web and HTTP/JSON."""
    manager = {
        "stat_prefix": "gateway",
        "codec_type": "AUTO",
        **_identity(config),
        **_hardening(config),
        **_tracing(config),
        "local_reply_config": build_local_replies(),
        "access_log": [_access_log()],
        "http_filters": build_filters(config, methods, files),
        "route_config": {
            "name": "public",
            "virtual_hosts": [build_virtual_host(config, methods)],
            "max_direct_response_body_size_bytes": LARGEST_FILE_BYTES,
        },
    }
    return {
        "name": "public",
        "address": socket_address(config.listen),
        "per_connection_buffer_limit_bytes": config.limits.buffer_bytes,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": typed(MANAGER, **manager),
                    }
                ]
            }
        ],
    }


def _identity(config: GatewayConfig) -> Node:
    """Nobody is trusted for where they connect from: headers that speak for the edge are removed before all else."""
    internal = INTERNAL_HEADERS if config.tenant_header == USUAL_TENANT_HEADER else f"{INTERNAL_HEADERS}|x-tenant-id"
    mutation = {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": internal}}}}
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": config.trusted_proxies,
        # An empty list would mean the private networks; the broadcast address means nobody.
        "internal_address_config": {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "server_name": "docuchat",
        "early_header_mutation_extensions": [
            {
                "name": "strip_internal_headers",
                "typed_config": typed(
                    "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                    mutations=[mutation],
                ),
            }
        ],
    }


def _hardening(config: GatewayConfig) -> Node:
    return {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "max_request_headers_kb": 32,
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": "300s",
            "max_headers_count": 100,
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": config.limits.stream_window_bytes,
            "initial_connection_window_size": 1048576,
        },
        "request_headers_timeout": "10s",
        "request_timeout": f"{config.limits.stream_seconds}s",
        "stream_idle_timeout": "60s",
        "drain_timeout": "10s",
    }


def _tracing(config: GatewayConfig) -> Node:
    if config.otlp is None:
        return {}
    tracer = typed(
        "envoy.config.trace.v3.OpenTelemetryConfig",
        grpc_service={"envoy_grpc": {"cluster_name": OTLP_CLUSTER}, "timeout": "1s"},
        service_name="envoy",
    )
    return {
        "tracing": {
            "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": tracer},
            "spawn_upstream_span": True,
        }
    }


def _access_log() -> Node:
    """One JSON line for each request; never a query string, never a token, not even one in the path."""
    fields = {
        "time": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "trace_id": "%TRACE_ID%",
        "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
        "path": "%DYNAMIC_METADATA(docuchat:path)%",
        "rpc": "%ROUTE_NAME%",
        "status": "%RESPONSE_CODE%",
        "grpc_status": "%GRPC_STATUS%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "received_bytes": "%BYTES_RECEIVED%",
        "sent_bytes": "%BYTES_SENT%",
        "duration_ms": "%DURATION%",
        "tenant_id": f"%DYNAMIC_METADATA({JWT_FILTER}:claims:tid)%",
        "user_id": f"%DYNAMIC_METADATA({JWT_FILTER}:claims:sub)%",
    }
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": typed(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": fields}
        ),
    }
