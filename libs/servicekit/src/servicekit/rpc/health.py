"""grpc.health.v1, whose watchers do not keep a process from stopping."""

import asyncio

from grpc_health.v1 import health, health_pb2

from servicekit.rpc.call import ServicerContext


class Health(health.aio.HealthServicer):  # type: ignore[misc] # the package has no type information
    """Says whether this process takes calls."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: ServicerContext) -> None:
        """Writes each new state until the process stops taking calls."""
        watching = asyncio.ensure_future(super().Watch(request, context))
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({watching, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watching, over):
                task.cancel()
            await asyncio.gather(watching, over, return_exceptions=True)

    def let_go(self) -> None:
        """Ends every watch: none would end by itself before the drain is over."""
        self._over.set()
