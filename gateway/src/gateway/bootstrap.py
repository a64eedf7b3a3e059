"""The whole Envoy configuration, and the files it consists of."""

from pathlib import Path

import yaml

from gateway.clusters import Node, build_clusters, socket_address, typed
from gateway.config import GatewayConfig
from gateway.descriptors import build_descriptor_set, list_public_methods, load_files
from gateway.filters import GeneratedFiles
from gateway.listener import build_listener
from gateway.strict_json import build_script

CONFIG_NAME = "envoy.yaml"


def render(config: GatewayConfig, folder: Path) -> Path:
    """Write the configuration and the files it names into the folder; return the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    files = load_files()
    methods = list_public_methods(files)
    generated = GeneratedFiles(
        descriptors=folder.resolve() / "docuchat.binpb", script=folder.resolve() / "strict_json.lua"
    )
    generated.descriptors.write_bytes(build_descriptor_set(files).SerializeToString(deterministic=True))
    generated.script.write_text(build_script(methods))
    path = folder / CONFIG_NAME
    bootstrap = _bootstrap(config, build_listener(config, methods, generated))
    path.write_text(yaml.safe_dump(bootstrap, sort_keys=False, width=120))
    return path


def _bootstrap(config: GatewayConfig, listener: Node) -> Node:
    admin = {"admin": {"address": socket_address(config.admin)}} if config.admin else {}
    return {
        "node": {"id": "gateway", "cluster": "docuchat"},
        **admin,
        "static_resources": {"listeners": [listener], "clusters": build_clusters(config)},
        "overload_manager": _overload_manager(config.limits.connections),
        "layered_runtime": {"layers": [{"name": "static", "static_layer": _runtime()}]},
    }


def _overload_manager(connections: int) -> Node:
    monitor = typed(
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=connections,
    )
    return {
        "resource_monitors": [
            {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": monitor}
        ]
    }


def _runtime() -> Node:
    return {
        # Connections that open streams only to reset them are closed (CVE-2023-44487).
        "overload.premature_reset_total_stream_count": 500,
        "overload.premature_reset_min_stream_lifetime_seconds": 1,
        "http.max_requests_per_io_cycle": 20,
        # Spans leave about when those of the services do, so a trace is whole soon after its request.
        "tracing.opentelemetry.flush_interval_ms": 1000,
    }
