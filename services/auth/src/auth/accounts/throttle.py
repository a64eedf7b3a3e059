"""How long to wait after failures (NIST SP 800-63B-4, section 3.2.2), by address and client.

A client that keeps failing is stopped for itself. All clients together are
stopped later, so that nobody else's failures lock an owner out; a device that
has logged in before is not concerned by them at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.accounts.names import normalise_email
from auth.errors.accounts import AddressLocked, TooManyAttempts
from auth.model.accounts import Attempt, FailureCount, Failures, Purpose
from auth.ports.accounts import FailureStore

LONGEST_DELAY = timedelta(hours=1)
# 2**12 s is over the hour already, and 2**90 s is more than a timedelta can hold.
LONGEST_DOUBLING = 12


@dataclass(frozen=True)
class Patience:
    """How many failures in a row cost no pause, and after how many only the operator helps."""

    free: int
    most: int


HERE = Patience(free=10, most=100)
EVERYWHERE = {
    # More than one client can use up, and far from what finds a password that was let in.
    Purpose.PASSWORD: Patience(free=200, most=1000),
    # Each of them mails the address.
    Purpose.SIGN_UP: Patience(free=20, most=1000),
    # Of a million codes: 100 guesses, from wherever they come, find one with a probability of 1e-4.
    Purpose.CODE: Patience(free=10, most=100),
}


def check_attempt(failures: Failures, attempt: Attempt, now: datetime) -> None:
    """Raises TooManyAttempts while an attempt has to wait, AddressLocked where waiting does not help."""
    check_count(failures.here, HERE, now)
    if not attempt.is_known:
        check_count(failures.everywhere, EVERYWHERE[attempt.purpose], now)


def check_count(count: FailureCount, patience: Patience, now: datetime) -> None:
    """Raises TooManyAttempts or AddressLocked if a count asks for more time than has passed."""
    if count.failures >= patience.most:
        raise AddressLocked
    if count.last_time is None:
        return
    wait = count.last_time + delay_after(count.failures, patience.free) - now
    if wait > timedelta(0):
        raise TooManyAttempts(wait)


def delay_after(failures: int, free: int = HERE.free) -> timedelta:
    """Returns the pause after so many failures: none below the free ones, then 1 s, 2 s, 4 s, up to one hour."""
    if failures < free:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - free, LONGEST_DOUBLING)), LONGEST_DELAY)


def count_failure(failures: Failures, attempt: Attempt, now: datetime) -> Failures:
    """Returns the counts after a failure. Raises what `check_attempt` raises."""
    check_attempt(failures, attempt, now)
    here = FailureCount(failures.here.failures + 1, now)
    if attempt.is_known:
        return Failures(here, failures.everywhere)
    return Failures(here, FailureCount(failures.everywhere.failures + 1, now))


def settle_attempt(failures: Failures, attempt: Attempt, now: datetime, *, succeeded: bool) -> Failures:
    """Returns the counts after an attempt, checked again first.

    Without the second check a burst of parallel guesses, all let in while the
    count was low, would each learn whether it was right.
    """
    if not succeeded:
        return count_failure(failures, attempt, now)
    check_attempt(failures, attempt, now)
    return Failures(FailureCount(), failures.everywhere)


async def unlock(failures: FailureStore, email: str) -> None:
    """Forgets all failures of an address; the operator's decision."""
    await failures.forget(normalise_email(email))
