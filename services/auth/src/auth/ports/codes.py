"""What the flows need for codes by mail."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from auth.model.accounts import Client
from auth.model.codes import Code, CodeUse, Tally
from auth.model.mail import Mail


class CodeStore(Protocol):
    """The codes that are on their way."""

    async def replace(self, code: Code, mail: Mail) -> None:
        """Stores a code in place of the last one and queues its mail, both or neither."""
        ...

    async def redeem(self, key: str, code_hash: str, now: datetime) -> str | None:
        """Uses a code up and returns its user; None, and one try less, if it is not the one. Calls at once wait."""
        ...

    async def forget(self, before: datetime) -> None:
        """Forgets the codes that had expired, and the tallies that had begun, before a moment."""
        ...


class TallyStore(Protocol):
    """What has been taken of allowances, the same for all replicas."""

    async def change(self, keys: Sequence[str], change: Callable[[Sequence[Tally]], Sequence[Tally]]) -> None:
        """Replaces tallies by what `change` makes of them, in the order of the keys; concurrent calls wait.

        An error that `change` raises leaves all of them as they were.
        """
        ...


class CodeKeys(Protocol):
    """What makes codes worthless to whoever reads the table."""

    def name(self, use: CodeUse, subject: str) -> str:
        """Returns where the code for a use and a subject is found."""
        ...

    def hash(self, use: CodeUse, subject: str, code: str) -> str:
        """Returns the code's keyed hash, another one for each use and subject."""
        ...


class PasswordTags(Protocol):
    """Keyed tags of passwords."""

    def tag(self, email: str, password: str) -> int:
        """Returns 8 bits, 0 to 255, that nobody can compute without the key."""
        ...


class Devices(Protocol):
    """Devices that have logged in to an account before."""

    def issue(self, email: str) -> str:
        """Returns a token for a device that has just logged in to the account of a verified address."""
        ...

    def identify(self, email: str, client: Client) -> str:
        """Returns the device's id if its token was issued for the address, empty otherwise."""
        ...
