"""auth's meter, asked over gRPC, and what goes on while it does not answer."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc

from docuchat.auth.v1 import usage_service_pb2 as pb
from docuchat.auth.v1.usage_service_pb2_grpc import UsageServiceStub
from servicekit.errors import AppError, Code, DependencyUnavailable
from servicekit.metering.model import TenantLimits, UsageEntry
from servicekit.rpc.status import ask
from servicekit.telemetry import count_event

# Longer than a busy auth takes: who is only slow must not be taken for away, or trust would be what is spent.
RESERVE_SECONDS = 15.0
CALL_SECONDS = 2.0
COMMIT_SECONDS = 10.0
LIMITS_SECONDS = 30.0
MAX_TENANTS = 10_000
# What a tenant may use of this process on trust, between two answers of auth: about fifty long answers.
TOKENS_ON_TRUST = 500_000
ValueT = TypeVar("ValueT")
AWAY = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED})


class GrpcUsageMeter:
    """Reserves and commits over the channel to auth, which must send this service's own token.

    auth being down stops log-ins and nothing else: calls of models go on then,
    for a bounded number of tokens a tenant, and are counted when it is back.
    """

    def __init__(self, channel: grpc.aio.Channel, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stub = UsageServiceStub(channel)
        self._clock = clock
        self._on_trust: OrderedDict[str, int] = OrderedDict()
        self._limits: OrderedDict[str, tuple[TenantLimits, float]] = OrderedDict()

    async def reserve(self, tenant_id: str, usage_id: str, tokens: int, hold_seconds: int) -> None:
        """Sets tokens aside. Raises AppError QUOTA_EXCEEDED, or DependencyUnavailable where trust is used up."""
        try:
            await self.reduce(tenant_id, usage_id, tokens, hold_seconds)
        except AppError as error:
            if error.code not in AWAY:
                raise
            self._trust(tenant_id, tokens)
        else:
            self._on_trust.pop(tenant_id, None)

    async def reduce(self, tenant_id: str, usage_id: str, tokens: int, hold_seconds: int) -> None:
        """Sets fewer tokens aside than before, which nobody needs to be trusted for. Raises AppError."""
        request = pb.ReserveUsageRequest(
            tenant_id=tenant_id, usage_id=usage_id, tokens=tokens, hold_seconds=hold_seconds
        )
        await ask(self._stub.ReserveUsage(request, timeout=RESERVE_SECONDS))

    async def commit(self, entries: Sequence[UsageEntry]) -> None:
        """Counts calls that have ended, at most 500, each once. Raises AppError."""
        request = pb.CommitUsageRequest(entries=[to_entry_proto(entry) for entry in entries])
        await ask(self._stub.CommitUsage(request, timeout=COMMIT_SECONDS))

    async def find_limits(self, tenant_id: str) -> TenantLimits:
        """Returns what a tenant may store, as it was half a minute ago at most; no limits where auth never said."""
        known, asked_at = self._limits.get(tenant_id, (TenantLimits(), float("-inf")))
        if self._clock() - asked_at < LIMITS_SECONDS:
            return known
        try:
            found = await ask(self._stub.GetLimits(pb.GetLimitsRequest(tenant_id=tenant_id), timeout=CALL_SECONDS))
        except AppError as error:
            if error.code not in AWAY:
                raise
            count_event("limits.unknown")
            return known
        limits = TenantLimits(found.documents, found.storage_bytes, found.bots)
        remember(self._limits, tenant_id, (limits, self._clock()))
        return limits

    def _trust(self, tenant_id: str, tokens: int) -> None:
        used = self._on_trust.get(tenant_id, 0) + tokens
        if used > TOKENS_ON_TRUST:
            raise DependencyUnavailable("auth")
        count_event("usage.on_trust")
        remember(self._on_trust, tenant_id, used)


def remember(known: OrderedDict[str, ValueT], tenant_id: str, value: ValueT) -> None:
    """Keeps a tenant's value, and forgets the tenant that was longest without one where there are too many."""
    known.pop(tenant_id, None)
    known[tenant_id] = value
    if len(known) > MAX_TENANTS:
        known.popitem(last=False)


def to_entry_proto(entry: UsageEntry) -> pb.UsageEntry:
    """Returns the entry's message."""
    return pb.UsageEntry(**vars(entry))
