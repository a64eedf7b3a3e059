"""Tokens on disk, one pair for each gateway, readable by their owner alone."""

import json
import os
import tempfile
from pathlib import Path

from docuchat_client.session import Tokens


class CredentialsUnreadable(Exception):
    """Raised when the credentials file is not what `docuchat login` writes."""


def default_path() -> Path:
    """Returns docuchat/credentials.json below XDG_CONFIG_HOME, or ~/.config (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "docuchat" / "credentials.json"


class Credentials:
    """The credentials file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, url: str) -> Tokens | None:
        """Returns the tokens for a gateway, None without a log-in. Raises CredentialsUnreadable."""
        entry = self._read().get(url)
        return Tokens(entry["access_token"], entry["refresh_token"]) if entry else None

    def save(self, url: str, tokens: Tokens) -> None:
        """Stores the tokens for a gateway in place of older ones."""
        entry = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}
        self._write(self._read() | {url: entry})

    def remove(self, url: str) -> None:
        """Forgets a gateway."""
        entries = self._read()
        if entries.pop(url, None):
            self._write(entries)

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            entries = json.loads(self.path.read_text())
            return {url: {name: str(entry[name]) for name in Tokens.__annotations__} for url, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise CredentialsUnreadable(f"{self.path} cannot be read; remove it and log in again.") from error

    def _write(self, entries: dict[str, dict[str, str]]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp gives mode 0600, and the rename leaves no moment with half a file.
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".credentials-")
        with os.fdopen(descriptor, "w") as file:
            json.dump(entries, file, indent=2)
        Path(name).replace(self.path)
