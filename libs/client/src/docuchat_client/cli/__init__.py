"""The `docuchat` command line."""

from docuchat_client.cli.app import main

__all__ = ["main"]
