"""python -m retrieval [serve | migrate | engine]."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from pydantic import ValidationError

from retrieval.config import EngineSettings, Settings
from retrieval.model import EmbedderRefused, EmbedderUnavailable
from servicekit.config import ServiceSettings

USAGE = "usage: python -m retrieval [serve | migrate | engine]"


def choose(arguments: Sequence[str]) -> Coroutine[Any, Any, None]:
    """Returns the work that the arguments name. Raises ValidationError for incomplete settings."""
    # Validating an empty dict reads the environment, as Settings() would; only this form satisfies mypy.
    match arguments:
        case [] | ["serve"]:
            return serve(Settings.model_validate({}))
        case ["migrate"]:
            return migrate(ServiceSettings.model_validate({}))
        case ["engine"]:
            return run_engine(EngineSettings.model_validate({}))
        case _:
            sys.exit(USAGE)


async def serve(settings: Settings) -> None:
    """Serves searches and indexing."""
    from retrieval.server import serve  # noqa: PLC0415 - the engine must not load the embedding runtime

    try:
        await serve(settings)
    except (EmbedderUnavailable, EmbedderRefused) as error:
        sys.exit(f"retrieval does not start: {error}")


async def migrate(settings: ServiceSettings) -> None:
    """Brings schema `retrieval` up to date, as the role that owns it."""
    if settings.owner_database_url is None:
        sys.exit("retrieval: DOCUCHAT_OWNER_DATABASE_URL is needed to migrate")
    from servicekit.migrations import run_migrations  # noqa: PLC0415 - serving must not load the migrations' tools

    await run_migrations("retrieval", settings.owner_database_url.get_secret_value())


async def run_engine(settings: EngineSettings) -> None:
    """Runs the embedded vector database."""
    from retrieval.engine.server import EngineBusy, run_engine  # noqa: PLC0415 - only this process holds the database

    try:
        await run_engine(settings)
    except EngineBusy as error:
        sys.exit(f"retrieval engine does not start: {error}")


def main() -> None:
    """Runs the command; a configuration that is not complete ends it with a sentence instead of a trace."""
    try:
        asyncio.run(choose(sys.argv[1:]))
    except ValidationError as error:
        sys.exit(f"retrieval does not start: {error}")


if __name__ == "__main__":
    main()
