"""How many calls a process works on at once: in all, for one tenant, and for one user."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servicekit.errors import AppError, Code
from servicekit.identity import Principal, find_principal
from servicekit.rpc.call import Call, Layer, is_infrastructure


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

    def __init__(self, whose: str, most: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_CONCURRENT_CALLS",
            f"The {whose} has {most} calls under way, which is the most at once; wait until some have ended.",
            metadata={"whose": whose, "limit": str(most)},
            retry_after_seconds=1,
        )


def limit_layer(most: int) -> Layer:
    """Returns the layer that refuses calls beyond `most` with our own words; health checks pass and take no place."""
    running = 0

    @asynccontextmanager
    async def layer(call: Call) -> AsyncIterator[None]:
        nonlocal running
        if is_infrastructure(call.method):
            yield
            return
        if running >= most:
            raise Overloaded
        running += 1
        try:
            yield
        finally:
            running -= 1

    return layer


def share_layer(per_user: int, per_tenant: int) -> Layer:
    """Returns the layer that keeps one caller from taking all places; it stands inside access, which says who calls.

    A stream counts for as long as it runs. Services that call on their own
    account, and callers without a token, share the places of the process only.
    """
    running: Counter[tuple[str, ...]] = Counter()

    @asynccontextmanager
    async def layer(_call: Call) -> AsyncIterator[None]:
        principal = find_principal()
        if principal is None or principal.is_service:
            yield
            return
        keys = _require_place(running, principal, per_user, per_tenant)
        running.update(keys)
        try:
            yield
        finally:
            for key in keys:
                running[key] -= 1
                # Only callers with a call under way are remembered.
                if not running[key]:
                    del running[key]

    return layer


def _require_place(
    running: Counter[tuple[str, ...]], principal: Principal, per_user: int, per_tenant: int
) -> tuple[tuple[str, ...], ...]:
    tenant = (principal.tenant_id,)
    user = (principal.tenant_id, principal.subject)
    for key, whose, most in ((user, "user", per_user), (tenant, "tenant", per_tenant)):
        if running[key] >= most:
            raise TooManyConcurrentCalls(whose, most)
    return user, tenant
