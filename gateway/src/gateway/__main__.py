"""``python -m gateway render OUT_DIR`` writes Envoy's files, ``python -m gateway reflection`` serves grpcurl."""

import asyncio
import os
import sys
from pathlib import Path

from gateway.bootstrap import render
from gateway.config import GatewayConfigError, read_config
from gateway.reflection import serve_reflection

USAGE = "usage: python -m gateway render OUT_DIR | python -m gateway reflection"


def main(arguments: list[str]) -> int:
    """Runs one command; returns the exit status."""
    try:
        return _run(arguments)
    except GatewayConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _run(arguments: list[str]) -> int:
    match arguments:
        case ["render", folder]:
            path = render(read_config(os.environ), Path(folder))
            sys.stdout.write(f"{path}\n")
            return 0
        case ["reflection"]:
            asyncio.run(serve_reflection(os.environ.get("DOCUCHAT_LISTEN", "127.0.0.1:50059")))
            return 0
        case _:
            sys.stderr.write(f"{USAGE}\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
