"""python -m auth [serve | unlock ADDRESS | make-staff ADDRESS | revoke-staff ADDRESS | migrate | check-settings]."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from auth.accounts.throttle import unlock
from auth.config import Settings, UnlockSettings
from auth.server import CLOCK, make_signer, serve
from auth.stores.failures import PostgresFailureStore
from auth.stores.profiles import PostgresProfileStore
from auth.tenants.administration import appoint_staff
from servicekit.database import Database
from servicekit.program import Command, run_program


@asynccontextmanager
async def open_once(settings: UnlockSettings) -> AsyncIterator[Database]:
    """Yields a database for one command."""
    database = Database.connect(settings.database_url.get_secret_value(), name="auth-command", pool_size=1)
    try:
        yield database
    finally:
        await database.close()


async def unlock_address(settings: UnlockSettings, email: str) -> None:
    """Opens an address again that failed log-ins have locked."""
    async with open_once(settings) as database:
        await unlock(PostgresFailureStore(database), email)


async def set_staff(settings: UnlockSettings, email: str, *, is_staff: bool) -> None:
    """Lets the users of an address log in as staff, or no longer. Raises UserNotFound."""
    async with open_once(settings) as database:
        await appoint_staff(PostgresProfileStore(database), email, CLOCK, is_staff=is_staff)


COMMANDS: dict[str, Command[Any]] = {
    "serve": Command(Settings, serve, check=make_signer),
    "unlock": Command(UnlockSettings, unlock_address, parameters=("ADDRESS",)),
    "make-staff": Command(UnlockSettings, partial(set_staff, is_staff=True), parameters=("ADDRESS",)),
    "revoke-staff": Command(UnlockSettings, partial(set_staff, is_staff=False), parameters=("ADDRESS",)),
}

if __name__ == "__main__":
    sys.exit(run_program("auth", COMMANDS))
