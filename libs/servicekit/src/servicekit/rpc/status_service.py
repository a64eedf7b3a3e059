"""GetHealth and GetStatus, for a service alone or for one that also asks its peers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import grpc

from docuchat.common.v1 import status_service_pb2 as pb
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceServicer, StatusServiceStub
from servicekit.errors import AppError, DependencyUnavailable
from servicekit.identity import Principal, Role, acting_as
from servicekit.recent import Recent
from servicekit.rpc.access import find_caller
from servicekit.rpc.call import ServicerContext
from servicekit.telemetry import get_logger
from servicekit.tokens import TokenVerifier

CHECK_TIMEOUT_SECONDS = 1.5
# Longer than a peer's own checks, so that a peer with a sick dependency is still heard.
PEER_TIMEOUT_SECONDS = 2.5
# Both methods are open to everyone, and a round of checks costs every service a transaction.
RECENT_SECONDS = 1.0


@dataclass(frozen=True)
class Finding:
    """What a check found out, where that is more than a version."""

    version: str = ""
    is_serving: bool = True
    oldest_due_job_seconds: int = 0
    """For a worker: how long the oldest job that is due has been waiting."""


Check = Callable[[], Awaitable[str | Finding]]
"""Looks at a dependency; returns its version or a Finding. Raises AppError, OSError or TimeoutError if it is away."""


class StatusServicer(StatusServiceServicer):
    """Reports a service, its dependencies and its peers.

    `checks` are what the service cannot take calls without; `companions`
    belong to it too, but it takes calls while they are away.
    """

    def __init__(
        self,
        name: str,
        version: str,
        checks: Mapping[str, Check],
        peers: Mapping[str, grpc.aio.Channel],
        *,
        companions: Mapping[str, Check] | None = None,
        verifier: TokenVerifier | None = None,
    ) -> None:
        self._name = name
        self._version = version
        self._companions = dict(companions or {})
        self._checks = {**checks, **self._companions}
        self._peers = {peer: StatusServiceStub(channel) for peer, channel in peers.items()}
        self._verifier = verifier
        self._is_leaving = False
        self._own = Recent(self._look, RECENT_SECONDS)
        self._all = Recent(self._look_everywhere, RECENT_SECONDS)

    async def GetHealth(self, request: pb.GetHealthRequest, context: ServicerContext) -> pb.GetHealthResponse:
        """Answers SERVING once this service, what belongs to it and every peer serve."""
        require_serving(await self._all.get())
        return pb.GetHealthResponse(status=pb.SERVING)

    async def GetStatus(self, request: pb.GetStatusRequest, context: ServicerContext) -> pb.GetStatusResponse:
        """Answers with one entry for each part, whatever state it is in; with versions for staff."""
        caller = await find_caller(context.invocation_metadata() or (), self._verifier) if self._verifier else None
        if caller and caller.role is Role.STAFF:
            return pb.GetStatusResponse(components=await self._look_everywhere(caller))
        return pb.GetStatusResponse(components=[without_version(row) for row in await self._all.get()])

    async def require_health(self) -> None:
        """Raises DependencyUnavailable while this service cannot take calls."""
        require_serving([row for row in await self._own.get() if row.dependency not in self._companions])

    def leave(self) -> None:
        """Reports this service as not serving from now on."""
        self._is_leaving = True

    async def _look(self) -> Sequence[pb.ComponentStatus]:
        return await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))

    async def _look_everywhere(self, caller: Principal | None = None) -> Sequence[pb.ComponentStatus]:
        state = pb.NOT_SERVING if self._is_leaving else pb.SERVING
        itself = pb.ComponentStatus(service=self._name, version=self._version, state=state)
        # Peers tell versions to staff only too, so they see who asks.
        with acting_as(caller):
            own, *others = await asyncio.gather(self._own.get(), *(self._ask(peer) for peer in self._peers))
        return [itself, *own, *(row for rows in others for row in rows)]

    async def _check(self, dependency: str, check: Check) -> pb.ComponentStatus:
        row = pb.ComponentStatus(service=self._name, dependency=dependency, state=pb.NOT_SERVING)
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                found = await check()
        except (AppError, OSError, TimeoutError) as error:
            get_logger("status").warning("check failed", dependency=dependency, error=type(error).__name__)
            return row
        finding = Finding(found) if isinstance(found, str) else found
        row.version, row.oldest_due_job_seconds = finding.version, finding.oldest_due_job_seconds
        row.state = pb.SERVING if finding.is_serving else pb.NOT_SERVING
        return row

    async def _ask(self, peer: str) -> Sequence[pb.ComponentStatus]:
        try:
            answer = await self._peers[peer].GetStatus(pb.GetStatusRequest(), timeout=PEER_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError:
            return [pb.ComponentStatus(service=peer, state=pb.NOT_SERVING)]
        return answer.components


def require_serving(rows: Sequence[pb.ComponentStatus]) -> None:
    """Raises DependencyUnavailable for the first part that does not serve."""
    for row in rows:
        if row.state != pb.SERVING:
            raise DependencyUnavailable(row.dependency or row.service)


def without_version(row: pb.ComponentStatus) -> pb.ComponentStatus:
    """Returns a part as those see it who are not staff: a version tells an attacker what to try."""
    shown = pb.ComponentStatus()
    shown.CopyFrom(row)
    shown.ClearField("version")
    return shown
