"""Two servers for `compare.py`: a bare grpc.aio method, and the same method behind servicekit's layers.

Run with the python of the checkout to be measured: `python layers_server.py`. Prints one JSON line with both ports,
a token that the second server accepts, and serves until its standard input ends.
"""

import asyncio
import json
import sys
from typing import Any

import grpc

from docuchat.auth.v1 import user_pb2, user_service_pb2
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceServicer, add_UserServiceServicer_to_server
from servicekit.rpc.server import build_server
from servicekit.telemetry import configure_telemetry
from testkit.tokens import TestTokens


class ConstantUsers(UserServiceServicer):
    """Describes the same user to everyone, without a database."""

    async def GetMe(self, request: user_service_pb2.GetMeRequest, context: Any) -> user_service_pb2.GetMeResponse:
        return user_service_pb2.GetMeResponse(user=user_pb2.User(user_id="1", email="me@example.org"))


async def serve() -> None:
    """Serves both until standard input ends."""
    configure_telemetry("layers", "0")
    tokens = TestTokens()
    bare = grpc.aio.server()
    add_UserServiceServicer_to_server(ConstantUsers(), bare)
    bare_port = bare.add_insecure_port("127.0.0.1:0")
    await bare.start()
    layered = build_server(name="auth", verifier=tokens.verifier)
    add_UserServiceServicer_to_server(ConstantUsers(), layered.grpc)
    layered_address = await layered.start("127.0.0.1:0")
    ready = {"bare": f"127.0.0.1:{bare_port}", "layered": layered_address, "token": tokens.issue()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await layered.stop(0)
    await bare.stop(0)


if __name__ == "__main__":
    asyncio.run(serve())
