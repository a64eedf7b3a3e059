"""Health check of a container: asks grpc.health.v1 at the port of DOCUCHAT_LISTEN, or `GET /health` at a given port."""

import os
import sys
import urllib.request

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 3


def check_grpc(port: str) -> bool:
    """Tells whether the server says SERVING."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def check_http(port: str) -> bool:
    """Tells whether the gateway and all behind it serve; urlopen raises for any status but success."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=SECONDS) as answer:
        return bool(answer.status == 200)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        healthy = check_http(sys.argv[1])
    else:
        healthy = check_grpc(os.environ["DOCUCHAT_LISTEN"].rpartition(":")[2])
    sys.exit(0 if healthy else 1)
