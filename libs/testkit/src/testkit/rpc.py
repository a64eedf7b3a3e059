"""A real gRPC server in the test's own process, and a channel to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc

from servicekit.rpc.client import open_channel
from servicekit.rpc.server import build_server
from testkit.tokens import TestTokens


class InProcessRpc:
    """Starts servers that accept the test's tokens."""

    def __init__(self, tokens: TestTokens) -> None:
        self._tokens = tokens

    @asynccontextmanager
    async def __call__(
        self, *, name: str, add_servicers: Callable[[grpc.aio.Server], None], token: str | None = None
    ) -> AsyncIterator[grpc.aio.Channel]:
        """Serves on a free port; yields a channel that sends `token` with every call."""

        async def identity() -> str:
            return token or ""

        async with (
            self.serve(name=name, add_servicers=add_servicers) as address,
            open_channel(address, identity=identity) as channel,
        ):
            yield channel

    @asynccontextmanager
    async def serve(self, *, name: str, add_servicers: Callable[[grpc.aio.Server], None]) -> AsyncIterator[str]:
        """Serves on a free port; yields the address, for channels with other tokens."""
        server = build_server(name=name, verifier=self._tokens.verifier, reflection=True)
        add_servicers(server.grpc)
        address = await server.start("127.0.0.1:0")
        try:
            yield address
        finally:
            await server.stop(0)
