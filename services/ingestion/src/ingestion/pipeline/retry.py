"""When to try again, and when not to."""

import random
from dataclasses import dataclass

from ingestion.text import FailureReason, ParseFailure
from servicekit.errors import AppError, Code

# What a document cannot cause: a peer or store that is away, full, restarting, or has not heard of our key yet.
NOT_THE_DOCUMENT = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.CANCELLED, Code.UNAUTHENTICATED})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon; seconds throughout."""

    max_attempts: int = 3
    first_delay_seconds: float = 1.0
    max_delay_seconds: float = 60.0
    wait_seconds: float = 2.0
    max_lost_leases: int = 10


def is_outage(error: Exception) -> bool:
    """Tells whether an error says nothing about the document, so that waiting costs no attempt."""
    return isinstance(error, AppError) and error.code in NOT_THE_DOCUMENT


def is_final(error: Exception) -> bool:
    """Tells whether the same bytes would fail the same way again."""
    return isinstance(error, ParseFailure) and error.reason is not FailureReason.PARSE_LIMIT


def backoff_seconds(policy: RetryPolicy, attempts: int, chance: random.Random) -> float:
    """Returns how long to wait after the attempts-th failure: exponential, with full jitter (AWS, 2015)."""
    ceiling = min(policy.max_delay_seconds, policy.first_delay_seconds * 2 ** (attempts - 1))
    return chance.uniform(0, ceiling)


def outage_seconds(policy: RetryPolicy, chance: random.Random) -> float:
    """Returns how long to wait for what is away, spread so that not all jobs come back at once."""
    return policy.wait_seconds * chance.uniform(0.5, 1.5)
