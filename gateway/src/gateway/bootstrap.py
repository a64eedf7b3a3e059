"""The whole Envoy configuration, and the files it consists of."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import yaml
from google.protobuf.descriptor import FileDescriptor

from gateway.clusters import Node, build_clusters
from gateway.config import GatewayConfig
from gateway.descriptors import PublicMethod, build_descriptor_set, list_public_methods, load_files
from gateway.exchange import build_recall_script
from gateway.filters import GeneratedFiles
from gateway.listener import build_listener
from gateway.overload import build_overload_manager
from gateway.strict_json import build_receive_script

CONFIG_NAME = "envoy.yaml"


def render(config: GatewayConfig, folder: Path) -> Path:
    """Writes the configuration and the files it names into the folder; returns the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    files = load_files()
    methods = list_public_methods(files, staff=config.staff)
    path = folder / CONFIG_NAME
    bootstrap = _bootstrap(
        config, build_listener(config, methods, _write_files(config, folder.resolve(), files, methods))
    )
    path.write_text(yaml.safe_dump(bootstrap, sort_keys=False, width=120))
    return path


def _write_files(
    config: GatewayConfig, folder: Path, files: Sequence[FileDescriptor], methods: Sequence[PublicMethod]
) -> GeneratedFiles:
    names = ("docuchat.binpb", "admit.lua", "receive.lua", "recall.lua")
    written = GeneratedFiles(*(folder / name for name in names))
    written.descriptors.write_bytes(build_descriptor_set(files).SerializeToString(deterministic=True))
    written.admit.write_text(resources.files("gateway").joinpath("admit.lua").read_text())
    written.receive.write_text(build_receive_script(methods))
    written.recall.write_text(build_recall_script(config))
    return written


def _bootstrap(config: GatewayConfig, listener: Node) -> Node:
    # 0600: whoever may read Envoy's memory map and stop it is its own user.
    admin = {"admin": {"address": {"pipe": {"path": str(config.admin), "mode": 0o600}}}} if config.admin else {}
    return {
        "node": {"id": "gateway", "cluster": "docuchat"},
        **admin,
        "static_resources": {"listeners": [listener], "clusters": build_clusters(config)},
        "overload_manager": build_overload_manager(config.limits),
        "layered_runtime": {"layers": [{"name": "static", "static_layer": _runtime()}]},
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
