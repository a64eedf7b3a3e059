"""python -m ingestion [serve | worker | migrate | check-settings]."""

import sys

from ingestion.config import Settings
from ingestion.server import serve
from ingestion.worker import work
from servicekit.config import reveal_service_secret
from servicekit.program import Command, run_program

COMMANDS = {
    "serve": Command(Settings, serve, check=reveal_service_secret),
    "worker": Command(Settings, work, check=reveal_service_secret),
}

if __name__ == "__main__":
    sys.exit(run_program("ingestion", COMMANDS))
