"""Erasing what a service keeps of a user or a tenant: the one method a service with data has for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Subject:
    """Whose data goes: a user's own in every tenant, or everything of a tenant. One of the two is empty."""

    user_id: str = ""
    tenant_id: str = ""


@dataclass(frozen=True)
class Erased:
    """What one call has removed, by kind in the plural, and whether nothing is left."""

    counts: Mapping[str, int] = field(default_factory=dict)
    is_complete: bool = True


Erase = Callable[[Subject], Awaitable[Erased]]
"""Does a bounded part of the work, a few seconds long. Calling it again goes on, and in the end counts nothing."""


def add_up(*parts: Mapping[str, int]) -> dict[str, int]:
    """Returns the sums by kind, without kinds of which there is nothing."""
    kinds = sorted({kind for part in parts for kind in part})
    sums = {kind: sum(part.get(kind, 0) for part in parts) for kind in kinds}
    return {kind: count for kind, count in sums.items() if count}
