"""What Envoy does before its memory or its connections run out."""

from gateway.clusters import Node, typed
from gateway.config import Limits

HEAP = "envoy.resource_monitors.fixed_heap"
TIMEOUTS = "envoy.config.overload.v3.ScaleTimersOverloadActionConfig"
# Whoever has filled the memory with half a request and waits makes room for the others.
SILENCE = {"timer": "HTTP_DOWNSTREAM_STREAM_IDLE", "min_timeout": "2s"}
MONITORS = "envoy.extensions.resource_monitors"


def build_overload_manager(limits: Limits) -> Node:
    """Returns the overload manager: gives memory back, then cuts the largest requests, then takes no new ones."""
    return {
        "refresh_interval": "0.1s",
        "resource_monitors": [
            _monitor(HEAP, typed(f"{MONITORS}.fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=limits.heap_bytes)),
            _monitor("envoy.resource_monitors.global_downstream_max_connections", _connections(limits.connections)),
        ],
        "actions": [
            _action("shrink_heap", {"threshold": {"value": 0.8}}),
            _action("reduce_timeouts", {"scaled": {"scaling_threshold": 0.8, "saturation_threshold": 0.9}})
            | {"typed_config": typed(TIMEOUTS, timer_scale_factors=[SILENCE])},
            _action("reset_high_memory_stream", {"scaled": {"scaling_threshold": 0.85, "saturation_threshold": 0.95}}),
            _action("disable_http_keepalive", {"threshold": {"value": 0.9}}),
            _action("stop_accepting_requests", {"threshold": {"value": 0.95}}),
        ],
        # A request is known to be large from 1 MiB of buffers on.
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": 20},
    }


def _monitor(name: str, config: Node) -> Node:
    return {"name": name, "typed_config": config}


def _connections(limit: int) -> Node:
    message = f"{MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig"
    return typed(message, max_active_downstream_connections=limit)


def _action(name: str, trigger: Node) -> Node:
    return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": HEAP, **trigger}]}
