"""How long an address must wait after failed log-ins (NIST SP 800-63B-4, section 3.2.2)."""

from datetime import datetime, timedelta

from auth.accounts.names import normalise_email
from auth.errors.accounts import AddressLocked, TooManyAttempts
from auth.model.accounts import FailureCount
from auth.ports.accounts import FailureStore

FREE_FAILURES = 10
MAX_FAILURES = 100
LONGEST_DELAY = timedelta(hours=1)
# 2**12 s is over the hour already, and 2**90 s is more than a timedelta can hold.
LONGEST_DOUBLING = 12


def check_attempt(count: FailureCount, now: datetime) -> None:
    """Raises TooManyAttempts while the address has to wait, AddressLocked after 100 failures in a row."""
    if count.failures >= MAX_FAILURES:
        raise AddressLocked
    if count.last_time is None:
        return
    wait = count.last_time + delay_after(count.failures) - now
    if wait > timedelta(0):
        raise TooManyAttempts(wait)


def delay_after(failures: int) -> timedelta:
    """Returns the pause after so many failures: none below 10, then 1 s, 2 s, 4 s, up to one hour."""
    if failures < FREE_FAILURES:
        return timedelta(0)
    doublings = min(failures - FREE_FAILURES, LONGEST_DOUBLING)
    return min(timedelta(seconds=2**doublings), LONGEST_DELAY)


def settle_attempt(count: FailureCount, now: datetime, *, succeeded: bool) -> FailureCount:
    """Returns the count after an attempt, checked again first.

    Without the second check a burst of parallel guesses, all let in while the
    count was low, would each learn whether it was right.
    """
    check_attempt(count, now)
    return FailureCount() if succeeded else FailureCount(count.failures + 1, now)


async def unlock(failures: FailureStore, email: str) -> None:
    """Forgets the failed log-ins of an address that they have locked; the operator's decision."""
    await failures.change(normalise_email(email), lambda _count: FailureCount())
