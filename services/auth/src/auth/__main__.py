"""python -m auth [serve | rotate-keys | unlock ADDRESS | migrate | check-settings]."""

import sys
from datetime import timedelta
from typing import Any

from auth.accounts.throttle import unlock
from auth.config import RotationSettings, Settings, UnlockSettings
from auth.security.keyring import write_next_key
from auth.server import CLOCK, check, serve
from auth.stores.failures import PostgresFailureStore
from servicekit.database import Database
from servicekit.program import Command, run_program


async def unlock_address(settings: UnlockSettings, email: str) -> None:
    """Opens an address again that failed log-ins have locked."""
    database = Database.connect(settings.database_url.get_secret_value(), name="auth-unlock", pool_size=1)
    try:
        await unlock(PostgresFailureStore(database), email)
    finally:
        await database.close()


async def rotate_keys(settings: RotationSettings) -> None:
    """Makes the next signing key; every auth that reads the folder publishes it, then signs with it."""
    lead = timedelta(seconds=settings.key_lead_seconds)
    made = write_next_key(settings.signing_key_file, CLOCK(), lead)
    sys.stdout.write(f"{made.key_id} signs from {made.sign_time.isoformat()} on\n")


COMMANDS: dict[str, Command[Any]] = {
    "serve": Command(Settings, serve, check=check),
    "rotate-keys": Command(RotationSettings, rotate_keys),
    "unlock": Command(UnlockSettings, unlock_address, parameters=("ADDRESS",)),
}

if __name__ == "__main__":
    sys.exit(run_program("auth", COMMANDS))
