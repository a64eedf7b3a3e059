"""Many small calls of a model, such as the queries of searches, for which two calls of auth each would be too much."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from servicekit.errors import AppError
from servicekit.metering.model import UsageEntry
from servicekit.telemetry import count_event, get_logger

LEASED_TOKENS = 5_000
HOLD_SECONDS = 120
FLUSH_SECONDS = 2.0
BATCH_ENTRIES = 500
MAX_WAITING = 20_000
QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


class Meter(Protocol):
    """Who counts."""

    async def reserve(self, tenant_id: str, usage_id: str, tokens: int, hold_seconds: int) -> None:
        """Sets tokens aside. Raises AppError."""
        ...

    async def commit(self, entries: Sequence[UsageEntry]) -> None:
        """Counts calls that have ended, each once. Raises AppError."""
        ...


@dataclass
class Lease:
    """Tokens of one tenant that this process may spend until the next flush, and who has spent what."""

    usage_ids: list[str] = field(default_factory=list)
    left: int = 0
    spent: Counter[tuple[str, str]] = field(default_factory=Counter)  # by user and API key
    renewal: asyncio.Lock = field(default_factory=asyncio.Lock)


class TokenAllowance:
    """Spends a tenant's tokens out of a lease and reports them together every FLUSH_SECONDS.

    Once it has ended, a process that is killed leaves at most the queries of
    that time uncounted; what was leased goes back by itself.
    """

    def __init__(self, meter: Meter, model: str, *, clock: Callable[[], datetime] | None = None) -> None:
        self._meter = meter
        self._model = model
        self._clock = clock or (lambda: datetime.now(UTC))
        self._leases: dict[str, Lease] = {}
        self._waiting: list[UsageEntry] = []

    async def spend(self, tenant_id: str, user_id: str, tokens: int, api_key_id: str = "") -> None:
        """Takes tokens before a call. Raises AppError QUOTA_EXCEEDED where the tenant's plan has none left."""
        # A flush may take the lease away while it is renewed; what is spent belongs to the one that follows.
        while (lease := self._leases.setdefault(tenant_id, Lease())).left < tokens:
            async with lease.renewal:
                if lease.left < tokens:
                    await self._renew(tenant_id, lease, tokens)
        lease.left -= tokens
        lease.spent[user_id, api_key_id] += tokens

    async def flush(self) -> None:
        """Reports what was spent. Raises AppError; what is not reported waits for the next time."""
        leases, self._leases = self._leases, {}
        for tenant_id, lease in leases.items():
            self._waiting += self._describe(tenant_id, lease)
        if len(self._waiting) > MAX_WAITING:
            count_event("usage.dropped")
            get_logger("usage").error("queries not counted", entries=len(self._waiting) - MAX_WAITING)
            del self._waiting[:-MAX_WAITING]
        while batch := self._waiting[:BATCH_ENTRIES]:
            await self._meter.commit(batch)
            del self._waiting[: len(batch)]

    async def _renew(self, tenant_id: str, lease: Lease, tokens: int) -> None:
        usage_id, more = str(uuid.uuid4()), max(LEASED_TOKENS, tokens)
        try:
            await self._meter.reserve(tenant_id, usage_id, more, HOLD_SECONDS)
        except AppError as error:
            if error.reason != QUOTA_EXCEEDED or more == tokens:
                raise
            # At the end of a plan: what is needed may fit where what would be convenient does not.
            more = tokens
            await self._meter.reserve(tenant_id, usage_id, more, HOLD_SECONDS)
        lease.usage_ids.append(usage_id)
        lease.left += more

    def _describe(self, tenant_id: str, lease: Lease) -> list[UsageEntry]:
        """Returns an entry for each user; they bear the leases' ids, so that counting them frees the leases."""
        users = list(lease.spent.items()) or [(("", ""), 0)]
        named = [*lease.usage_ids, *(str(uuid.uuid4()) for _ in range(len(users)))]
        # A lease too many is freed by an entry of nothing, in the name of whoever is there.
        rows = [*users, *((users[0][0], 0) for _ in range(len(lease.usage_ids) - len(users)))]
        now = self._clock()
        return [
            UsageEntry(usage_id, tenant_id, user_id, "QUERY", "embedding", self._model, tokens, 0, now, 0, api_key_id)
            for usage_id, ((user_id, api_key_id), tokens) in zip(named, rows, strict=False)
            if user_id
        ]
