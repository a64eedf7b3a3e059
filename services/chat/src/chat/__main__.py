"""python -m chat [serve | migrate | check-settings]."""

import sys

from chat.config import Settings
from chat.server import serve
from servicekit.config import reveal_service_secret
from servicekit.program import Command, run_program

COMMANDS = {"serve": Command(Settings, serve, check=reveal_service_secret)}

if __name__ == "__main__":
    sys.exit(run_program("chat", COMMANDS))
