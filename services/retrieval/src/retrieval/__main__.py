"""python -m retrieval [serve | engine | migrate | check-settings]."""

import sys
from typing import Any

from retrieval.config import EngineSettings, Settings
from servicekit.config import reveal_service_secret
from servicekit.program import Command, run_program


async def serve(settings: Settings) -> None:
    """Serves searches and indexing."""
    from retrieval.server import serve  # noqa: PLC0415 - the engine must not load the embedding runtime

    await serve(settings)


async def run_engine(settings: EngineSettings) -> None:
    """Runs the embedded vector database."""
    from retrieval.engine.server import EngineBusy, run_engine  # noqa: PLC0415 - only this process holds the database

    try:
        await run_engine(settings)
    except EngineBusy as error:
        sys.exit(f"retrieval engine does not start: {error}")


COMMANDS: dict[str, Command[Any]] = {
    "serve": Command(Settings, serve, check=reveal_service_secret),
    "engine": Command(EngineSettings, run_engine),
}

if __name__ == "__main__":
    sys.exit(run_program("retrieval", COMMANDS))
