"""Tokens on disk, one pair for each gateway, readable by their owner alone."""

import json
import os
import tempfile
from dataclasses import asdict
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
        return Tokens(**entry) if entry else None

    def save(self, url: str, tokens: Tokens) -> None:
        """Stores the tokens for a gateway in place of older ones."""
        self._write(self._read() | {url: asdict(tokens)})

    def remove(self, url: str) -> None:
        """Forgets a session. That the device has logged in before is remembered, for the next time."""
        entries = self._read()
        entry = entries.pop(url, None)
        if entry and entry["device_token"]:
            entries[url] = asdict(Tokens("", "", entry["device_token"]))
        if entry:
            self._write(entries)

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            entries = json.loads(self.path.read_text())
            return {url: read_entry(entry) for url, entry in entries.items()}
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


def read_entry(entry: dict[str, object]) -> dict[str, str]:
    """Returns what is kept for a gateway; releases before this one knew no device. Raises KeyError, TypeError."""
    names = ("access_token", "refresh_token")
    return {name: str(entry[name]) for name in names} | {"device_token": str({**entry}.get("device_token", ""))}
