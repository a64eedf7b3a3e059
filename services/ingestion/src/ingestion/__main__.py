"""`python -m ingestion [serve|worker|migrate]`."""

import asyncio
import sys

from ingestion.config import Settings
from ingestion.server import serve
from ingestion.worker import work
from servicekit.migrations import run_migrations


async def migrate(settings: Settings) -> None:
    """Brings schema `ingestion` up to date."""
    if settings.owner_database_url is None:
        raise SystemExit("DOCUCHAT_OWNER_DATABASE_URL must name the role that owns the schema")
    await run_migrations("ingestion", settings.owner_database_url.get_secret_value())


COMMANDS = {"serve": serve, "worker": work, "migrate": migrate}


def main(arguments: list[str]) -> int:
    """Runs one command; serve if none is named. Returns the exit code."""
    name = arguments[0] if arguments else "serve"
    if name not in COMMANDS or len(arguments) > 1:
        sys.stderr.write(f"usage: python -m ingestion [{'|'.join(COMMANDS)}]\n")
        return 2
    settings = Settings()  # type: ignore[call-arg] # the environment brings them
    asyncio.run(COMMANDS[name](settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
