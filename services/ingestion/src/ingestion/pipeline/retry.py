"""When to try again, and when not to."""

import random
from dataclasses import dataclass

from ingestion.errors import Refused
from ingestion.text import FailureReason, ParseFailure
from servicekit.errors import AppError, Code

# What a document cannot cause: a peer or store that is away, hangs, is full, restarts, or does not know us yet.
NOT_THE_DOCUMENT = frozenset(
    {
        Code.UNAVAILABLE,
        Code.DEADLINE_EXCEEDED,
        Code.RESOURCE_EXHAUSTED,
        Code.CANCELLED,
        Code.UNAUTHENTICATED,
        Code.PERMISSION_DENIED,
        Code.UNIMPLEMENTED,
    }
)
# Beyond this many doublings every ceiling is reached, and numbers only grow.
MAX_DOUBLINGS = 30


@dataclass(frozen=True)
class JobPolicy:
    """How often and how soon; seconds throughout.

    An outage is waited for between first_wait and max_wait, and by one job for
    max_outage in all.
    """

    max_attempts: int = 3
    first_delay_seconds: float = 1.0
    max_delay_seconds: float = 60.0
    first_wait_seconds: float = 2.0
    max_wait_seconds: float = 30.0
    max_outage_seconds: float = 24 * 3600.0
    max_lost_leases: int = 10


def is_outage(error: Exception) -> bool:
    """Tells whether an error says nothing about the document, so that waiting costs no attempt."""
    return isinstance(error, AppError) and error.code in NOT_THE_DOCUMENT


def is_final(error: Exception) -> bool:
    """Tells whether the same bytes would fail the same way again."""
    if isinstance(error, ParseFailure):
        return error.reason is not FailureReason.PARSE_LIMIT
    return isinstance(error, Refused)


def backoff_seconds(policy: JobPolicy, attempts: int, chance: random.Random) -> float:
    """Returns how long to wait after the attempts-th failure: exponential, with full jitter (AWS, 2015)."""
    doublings = min(attempts - 1, MAX_DOUBLINGS)
    ceiling = min(policy.max_delay_seconds, policy.first_delay_seconds * 2**doublings)
    return chance.uniform(0, ceiling)


def outage_seconds(policy: JobPolicy, waited_seconds: float, chance: random.Random) -> float:
    """Returns how long to wait for what is away: about as long as was waited already, spread over the jobs."""
    ceiling = min(policy.max_wait_seconds, max(policy.first_wait_seconds, waited_seconds))
    return ceiling * chance.uniform(0.5, 1.0)
