"""The nouns of mail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

NOWHERE = ""


@dataclass(frozen=True)
class Mail:
    """A mail that waits. `template` names its text, `values` fill it in.

    Without a recipient it goes nowhere: it was queued so that whoever caused it
    cannot tell whether there is one. After `expire_time` it is not worth sending.
    """

    recipient: str
    template: str
    language: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    expire_time: datetime | None = None


@dataclass(frozen=True)
class ClaimedMail:
    """A mail that this process may send until its lease ends; None where what was stored cannot be read."""

    mail_id: str
    mail: Mail | None
    attempts: int
