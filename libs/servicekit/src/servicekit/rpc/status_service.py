"""GetHealth and GetStatus, for a service alone or for one that also asks its peers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import grpc

from docuchat.common.v1 import status_service_pb2 as pb
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceServicer, StatusServiceStub
from servicekit.errors import AppError, DependencyUnavailable
from servicekit.rpc.call import ServicerContext
from servicekit.telemetry import get_logger


@dataclass(frozen=True)
class Finding:
    """What a check found, where a version does not say it all."""

    version: str = ""
    is_serving: bool = True
    oldest_due_job_seconds: int = 0


Check = Callable[[], Awaitable[str | Finding]]
CHECK_TIMEOUT_SECONDS = 1.5
# Longer than a peer's own checks, so that a peer with a sick dependency is still heard.
PEER_TIMEOUT_SECONDS = 2.5


class StatusServicer(StatusServiceServicer):
    """Reports a service, its dependencies and its peers."""

    def __init__(
        self, name: str, version: str, checks: Mapping[str, Check], peers: Mapping[str, grpc.aio.Channel]
    ) -> None:
        self._name = name
        self._version = version
        self._checks = dict(checks)
        self._peers = {peer: StatusServiceStub(channel) for peer, channel in peers.items()}

    async def GetHealth(self, request: pb.GetHealthRequest, context: ServicerContext) -> pb.GetHealthResponse:
        """Answers SERVING once this service and every peer serve."""
        await self.require_health()
        await asyncio.gather(*(self._require_peer(peer) for peer in self._peers))
        return pb.GetHealthResponse(status=pb.SERVING)

    async def GetStatus(self, request: pb.GetStatusRequest, context: ServicerContext) -> pb.GetStatusResponse:
        """Answers with one entry for each part, whatever state it is in."""
        own, *others = await asyncio.gather(self.describe(), *(self._describe_peer(peer) for peer in self._peers))
        return pb.GetStatusResponse(components=[*own, *(row for rows in others for row in rows)])

    async def require_health(self) -> None:
        """Raises DependencyUnavailable if one of this service's dependencies does not answer."""
        for row in await self.describe():
            if row.state != pb.SERVING:
                raise DependencyUnavailable(row.dependency)

    async def describe(self) -> Sequence[pb.ComponentStatus]:
        """Returns this service's own entries."""
        found = await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))
        return [pb.ComponentStatus(service=self._name, version=self._version, state=pb.SERVING), *found]

    async def _check(self, dependency: str, check: Check) -> pb.ComponentStatus:
        row = pb.ComponentStatus(service=self._name, dependency=dependency, state=pb.NOT_SERVING)
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                found = await check()
        except (AppError, OSError, TimeoutError) as error:
            get_logger("status").warning("check failed", dependency=dependency, error=type(error).__name__)
            return row
        finding = found if isinstance(found, Finding) else Finding(found)
        row.version = finding.version
        row.oldest_due_job_seconds = finding.oldest_due_job_seconds
        if finding.is_serving:
            row.state = pb.SERVING
        return row

    async def _require_peer(self, peer: str) -> None:
        try:
            await self._peers[peer].GetHealth(pb.GetHealthRequest(), timeout=PEER_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise DependencyUnavailable(peer) from error

    async def _describe_peer(self, peer: str) -> Sequence[pb.ComponentStatus]:
        try:
            answer = await self._peers[peer].GetStatus(pb.GetStatusRequest(), timeout=PEER_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError:
            return [pb.ComponentStatus(service=peer, state=pb.NOT_SERVING)]
        return answer.components
