"""The nouns of codes by mail."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum


class CodeUse(Enum):
    """What a code is good for, and nothing else."""

    LOG_IN = "log-in"
    RESET = "reset"
    VERIFY = "verify"


@dataclass(frozen=True)
class Code:
    """A code as it is remembered: where it is found (`key`) and a keyed hash of its digits.

    Without a user nobody can redeem it: it was made so that whoever asked for it
    cannot tell whether the address has an account.
    """

    key: str
    code_hash: str = field(repr=False)
    user_id: str | None
    expire_time: datetime


@dataclass(frozen=True)
class Tally:
    """What has been taken of an allowance since its window began."""

    taken: int = 0
    since: datetime | None = None


@dataclass(frozen=True)
class Allowance:
    """How much may be taken in one window."""

    amount: int
    window: timedelta


@dataclass(frozen=True)
class CodeLimits:
    """Who may ask for how many codes, and be wrong how often, in a window each."""

    requests_by_address: Allowance = Allowance(10, timedelta(hours=1))
    requests_by_client: Allowance = Allowance(30, timedelta(hours=1))
    requests_overall: Allowance = Allowance(2000, timedelta(hours=1))
    failures_by_client: Allowance = Allowance(30, timedelta(hours=1))
    failures_overall: Allowance = Allowance(100, timedelta(days=1))
