"""Opening an address again that failed log-ins have locked; the operator's decision."""

from auth.accounts.names import normalise_email
from auth.model import FailureCount
from auth.ports import FailureStore


async def unlock(failures: FailureStore, email: str) -> None:
    """Forgets the failed log-ins of an address."""
    await failures.change(normalise_email(email), lambda _count: FailureCount())
