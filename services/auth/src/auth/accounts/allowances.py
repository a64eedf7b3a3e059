"""How much may be taken of something in a window of time."""

from collections.abc import Sequence
from datetime import datetime

from auth.errors.accounts import TooManyAttempts
from auth.model.codes import Allowance, Tally


def take(tally: Tally, cost: int, allowance: Allowance, now: datetime) -> Tally:
    """Returns the tally after taking; a window that is over begins anew. Raises TooManyAttempts."""
    current = open_window(tally, allowance, now)
    if current.taken + cost > allowance.amount:
        raise TooManyAttempts((current.since or now) + allowance.window - now)
    return Tally(current.taken + cost, current.since)


def give_back(tally: Tally, amount: int, allowance: Allowance, now: datetime) -> Tally:
    """Returns the tally with some of it given back, never less than nothing."""
    current = open_window(tally, allowance, now)
    return Tally(max(0, current.taken - amount), current.since)


def open_window(tally: Tally, allowance: Allowance, now: datetime) -> Tally:
    """Returns the tally of the window that runs now."""
    if tally.since is None or now - tally.since >= allowance.window:
        return Tally(0, now)
    return tally


def take_each(tallies: Sequence[Tally], allowances: Sequence[Allowance], now: datetime) -> list[Tally]:
    """Returns the tallies after taking one of each. Raises TooManyAttempts if any is used up."""
    return [take(tally, 1, allowance, now) for tally, allowance in zip(tallies, allowances, strict=True)]
