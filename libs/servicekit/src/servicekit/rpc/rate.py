"""How many calls all callers of a tenant make in a minute: the limit of its plan, which their tokens name."""

import time
from collections import OrderedDict
from collections.abc import Callable

from servicekit.errors import AppError, Code
from servicekit.identity import Principal
from servicekit.rpc.call import FORWARDED, Metadata

PERIOD_SECONDS = 60.0
MAX_REMEMBERED = 10_000


class TenantRateLimited(AppError):
    """Raised when a tenant has made all the calls that its plan has for a minute."""

    def __init__(self, limit: int, wait_seconds: float) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TENANT_RATE_LIMITED",
            f"Your organisation's plan has {limit} calls a minute; wait a little, or choose a larger plan.",
            metadata={"limit": str(limit)},
            retry_after_seconds=wait_seconds,
        )


class Rates:
    """The pace of each tenant in this process (generic cell rate algorithm, ITU-T I.371).

    A tenant may make a whole minute's calls at once and then goes on at their
    pace. What one service calls in another for the same request is counted once.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When each tenant would be back at a full minute; whoever is, is not remembered.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def count(self, caller: Principal | None, metadata: Metadata) -> None:
        """Counts a call. Raises TenantRateLimited."""
        if caller is None or not caller.requests_per_minute or any(key == FORWARDED for key, _ in metadata):
            return
        now, interval = self._clock(), PERIOD_SECONDS / caller.requests_per_minute
        full_at = max(self._full_at.pop(caller.tenant_id, now), now)
        wait = full_at + interval - PERIOD_SECONDS - now
        self._remember(caller.tenant_id, full_at if wait > 0 else full_at + interval, now)
        if wait > 0:
            raise TenantRateLimited(caller.requests_per_minute, wait)

    def _remember(self, tenant_id: str, full_at: float, now: float) -> None:
        self._full_at[tenant_id] = full_at
        while next(iter(self._full_at.values())) <= now or len(self._full_at) > MAX_REMEMBERED:
            self._full_at.popitem(last=False)
