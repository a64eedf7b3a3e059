"""python -m auth [serve | unlock ADDRESS | migrate | check-settings]."""

import sys
from typing import Any

from auth.accounts.throttle import unlock
from auth.config import Settings, UnlockSettings
from auth.server import make_signer, serve
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


COMMANDS: dict[str, Command[Any]] = {
    "serve": Command(Settings, serve, check=make_signer),
    "unlock": Command(UnlockSettings, unlock_address, parameters=("ADDRESS",)),
}

if __name__ == "__main__":
    sys.exit(run_program("auth", COMMANDS))
