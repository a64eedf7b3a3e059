"""How many calls a process works on at once: in all, for one tenant, and for one user."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from servicekit.errors import AppError, Code
from servicekit.identity import Principal


class Overloaded(AppError):
    """Raised when a process has as many calls running as it may."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "OVERLOADED",
            "The service is at its limit at this moment; try again in a second.",
            retry_after_seconds=1,
        )


class TooManyConcurrentCalls(AppError):
    """Raised when a user or a tenant has as many calls running as one may."""

    def __init__(self, whose: str, most: float) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_CONCURRENT_CALLS",
            f"The {whose} has {most} calls under way, which is the most at once; wait until some have ended.",
            metadata={"whose": whose, "limit": str(most)},
            retry_after_seconds=1,
        )


class Places:
    """The places of a process: with a call under way in each, the next is refused in our own words."""

    def __init__(self, most: float = math.inf) -> None:
        self._most = most
        self._taken = 0

    def __enter__(self) -> None:
        if self._taken >= self._most:
            raise Overloaded
        self._taken += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taken -= 1


class Shares:
    """What keeps one user, or one tenant, from taking all places.

    A stream counts for as long as it runs. Services that call on their own
    account, and callers without a token, share the places of the process only.
    """

    def __init__(self, per_user: float = math.inf, per_tenant: float = math.inf) -> None:
        self._per_user = per_user
        self._per_tenant = per_tenant
        # Only callers with a call under way are remembered.
        self._taken: dict[tuple[str, ...], int] = {}

    def count(self) -> int:
        """Returns how many users and tenants have a call under way."""
        return len(self._taken)

    @contextmanager
    def of(self, caller: Principal | None) -> Iterator[None]:
        """Takes a place of the caller's share for a block. Raises TooManyConcurrentCalls."""
        if caller is None or caller.is_service:
            yield
            return
        tenant, user = (caller.tenant_id,), (caller.tenant_id, caller.subject)
        self._require_place(user, "user", self._per_user)
        self._require_place(tenant, "tenant", self._per_tenant)
        self._take(user, 1)
        self._take(tenant, 1)
        try:
            yield
        finally:
            self._take(user, -1)
            self._take(tenant, -1)

    def _require_place(self, whose: tuple[str, ...], name: str, most: float) -> None:
        if self._taken.get(whose, 0) >= most:
            raise TooManyConcurrentCalls(name, most)

    def _take(self, whose: tuple[str, ...], places: int) -> None:
        self._taken[whose] = self._taken.get(whose, 0) + places
        if not self._taken[whose]:
            del self._taken[whose]
