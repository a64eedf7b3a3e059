"""python -m chat [serve | migrate]."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from pydantic import ValidationError

from chat.config import Settings
from chat.server import serve
from servicekit.config import ServiceSettings
from servicekit.errors import AppError
from servicekit.migrations import run_migrations

USAGE = "usage: python -m chat [serve | migrate]"


def choose(arguments: Sequence[str]) -> Coroutine[Any, Any, None]:
    """Returns the work that the arguments name. Raises ValidationError for incomplete settings."""
    # Validating an empty dict reads the environment, as Settings() would; only this form satisfies mypy.
    match arguments:
        case [] | ["serve"]:
            return serve(Settings.model_validate({}))
        case ["migrate"]:
            return migrate(ServiceSettings.model_validate({}))
        case _:
            sys.exit(USAGE)


async def migrate(settings: ServiceSettings) -> None:
    """Brings schema `chat` up to date, as the role that owns it."""
    if settings.owner_database_url is None:
        sys.exit("chat: DOCUCHAT_OWNER_DATABASE_URL is needed to migrate")
    await run_migrations("chat", settings.owner_database_url.get_secret_value())


def main() -> None:
    """Runs the command; a configuration that is not complete ends it with a sentence instead of a trace."""
    try:
        asyncio.run(choose(sys.argv[1:]))
    except (ValidationError, AppError) as error:
        sys.exit(f"chat does not start: {error}")


if __name__ == "__main__":
    main()
