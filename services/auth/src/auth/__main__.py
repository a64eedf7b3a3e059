"""python -m auth [serve | migrate | unlock ADDRESS]."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from pydantic import ValidationError

from auth.accounts.unlock import unlock
from auth.config import Settings
from auth.security.keys import KeyFileError
from auth.server import serve
from auth.stores.failures import PostgresFailureStore
from servicekit.config import ServiceSettings
from servicekit.database import Database
from servicekit.migrations import run_migrations

USAGE = "usage: python -m auth [serve | migrate | unlock ADDRESS]"


def choose(arguments: Sequence[str]) -> Coroutine[Any, Any, None]:
    """Returns the work that the arguments name. Raises ValidationError for incomplete settings."""
    # Validating an empty dict reads the environment, as Settings() would; only this form satisfies mypy.
    match arguments:
        case [] | ["serve"]:
            return serve(Settings.model_validate({}))
        case ["migrate"]:
            return migrate(ServiceSettings.model_validate({}))
        case ["unlock", email]:
            return unlock_address(ServiceSettings.model_validate({}), email)
        case _:
            sys.exit(USAGE)


async def migrate(settings: ServiceSettings) -> None:
    """Brings schema `auth` up to date, as the role that owns it."""
    if settings.owner_database_url is None:
        sys.exit("auth: DOCUCHAT_OWNER_DATABASE_URL is needed to migrate")
    await run_migrations("auth", settings.owner_database_url.get_secret_value())


async def unlock_address(settings: ServiceSettings, email: str) -> None:
    """Opens an address again that failed log-ins have locked."""
    database = Database.connect(settings.database_url.get_secret_value(), name="auth-unlock", pool_size=1)
    try:
        await unlock(PostgresFailureStore(database), email)
    finally:
        await database.close()


def main() -> None:
    """Runs the command; a configuration that is not complete ends it with a sentence instead of a trace."""
    try:
        asyncio.run(choose(sys.argv[1:]))
    except (ValidationError, KeyFileError) as error:
        sys.exit(f"auth does not start: {error}")


if __name__ == "__main__":
    main()
