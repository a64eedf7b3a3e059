"""Upstream clusters: where requests go and how failing hosts are noticed."""

from typing import Any

from gateway.config import Address, GatewayConfig, Limits

Node = dict[str, Any]
"""A piece of Envoy configuration as YAML knows it."""

SELF_CLUSTER = "gateway_itself"
REFLECTION_CLUSTER = "reflection"
OTLP_CLUSTER = "otlp_collector"
RATE_LIMIT_CLUSTER = "rate_limit_service"
NOWHERE_CLUSTER = "nowhere"

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def typed(name: str, **values: Any) -> Node:  # noqa: ANN401 (YAML values are of any kind)
    """Returns a typed_config node for the Envoy message of this name."""
    return {"@type": f"type.googleapis.com/{name}", **values}


def add_header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Node:
    """Returns Envoy's form of a header to add."""
    return {"header": {"key": name, "value": value}, "append_action": action}


def build_clusters(config: GatewayConfig) -> list[Node]:
    """Returns one cluster for each service, and those that the configuration asks for beside them."""
    limits = config.limits
    clusters = [_service_cluster(name, address, limits) for name, address in config.targets.items()]
    # Envoy reads the public keys over its own JSON route, because auth speaks gRPC only.
    itself = Address(_reachable(config.listen.host), config.listen.port)
    clusters.append(_cluster(SELF_CLUSTER, itself, limits, http2=False))
    clusters.append({"name": NOWHERE_CLUSTER, "type": "STATIC"})
    if config.reflection:
        clusters.append(_cluster(REFLECTION_CLUSTER, config.reflection, limits))
    if config.rate_limit_service:
        clusters.append(_cluster(RATE_LIMIT_CLUSTER, config.rate_limit_service, limits))
    if config.otlp:
        clusters.append(_cluster(OTLP_CLUSTER, config.otlp, limits))
    return clusters


def _reachable(listen_host: str) -> str:
    return "127.0.0.1" if listen_host == "0.0.0.0" else listen_host  # noqa: S104 (compared, not bound)


def _service_cluster(name: str, address: Address, limits: Limits) -> Node:
    return _cluster(name, address, limits) | {
        "lb_policy": "LEAST_REQUEST",
        "health_checks": [_grpc_health_check()],
        # A host that fails its check still gets requests when there is no other: its own error says more than ours.
        "common_lb_config": {"healthy_panic_threshold": {"value": 50}},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 256,
                    "max_pending_requests": 256,
                    "max_requests": limits.upstream_requests,
                    "max_retries": 32,
                    "track_remaining": True,
                }
            ]
        },
        "outlier_detection": {
            "consecutive_gateway_failure": 10,
            "consecutive_5xx": 0,
            "interval": "5s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
    }


def _cluster(name: str, address: Address, limits: Limits, *, http2: bool = True) -> Node:
    return {
        "name": name,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": limits.buffer_bytes,
        "typed_extension_protocol_options": {HTTP_OPTIONS: _protocol(limits, http2=http2)},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(address)}}]}],
        },
    }


def _protocol(limits: Limits, *, http2: bool) -> Node:
    if not http2:
        return typed(HTTP_OPTIONS, explicit_http_config={"http_protocol_options": {}})
    options = {
        "initial_stream_window_size": limits.stream_window_bytes,
        # All callers share one connection to a service. Answers that nobody reads fill the window of their own streams;
        # that of the connection must have room for all of them, or they would stop everybody's.
        "initial_connection_window_size": limits.stream_window_bytes * limits.upstream_requests,
        # A peer that vanished without a word is noticed in the middle of a stream too.
        "connection_keepalive": {"interval": "30s", "timeout": "10s"},
    }
    return typed(HTTP_OPTIONS, explicit_http_config={"http2_protocol_options": options})


def _grpc_health_check() -> Node:
    return {
        "timeout": "2s",
        "interval": "5s",
        "no_traffic_interval": "5s",
        "unhealthy_interval": "1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "grpc_health_check": {"service_name": ""},
    }


def socket_address(address: Address) -> Node:
    """Returns Envoy's form of a TCP address."""
    return {"socket_address": {"address": address.host, "port_value": address.port}}
