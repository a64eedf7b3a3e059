"""python -m auth [serve | rotate-keys | unlock ADDRESS | make-staff ADDRESS | revoke-staff ADDRESS | ...].

Beside them migrate and check-settings, as every service has.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from auth.accounts.throttle import unlock
from auth.config import RotationSettings, Settings, UnlockSettings
from auth.security.keyring import write_next_key
from auth.server import CLOCK, check, serve
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
    """Lets whoever has verified an address log in as staff, or no longer. Raises UserNotFound."""
    async with open_once(settings) as database:
        await appoint_staff(PostgresProfileStore(database), email, CLOCK, is_staff=is_staff)


async def rotate_keys(settings: RotationSettings) -> None:
    """Makes the next signing key; every auth that reads the folder publishes it, then signs with it."""
    lead = timedelta(seconds=settings.key_lead_seconds)
    made = write_next_key(settings.signing_key_file, CLOCK(), lead)
    sys.stdout.write(f"{made.key_id} signs from {made.sign_time.isoformat()} on\n")


COMMANDS: dict[str, Command[Any]] = {
    "serve": Command(Settings, serve, check=check),
    "rotate-keys": Command(RotationSettings, rotate_keys),
    "unlock": Command(UnlockSettings, unlock_address, parameters=("ADDRESS",)),
    "make-staff": Command(UnlockSettings, partial(set_staff, is_staff=True), parameters=("ADDRESS",)),
    "revoke-staff": Command(UnlockSettings, partial(set_staff, is_staff=False), parameters=("ADDRESS",)),
}

if __name__ == "__main__":
    sys.exit(run_program("auth", COMMANDS))
