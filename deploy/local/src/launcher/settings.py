"""What the user may set, from the environment or a .env file."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

DEFAULT_PORT = 8080
DEFAULT_HOME = ".docuchat"
PASSED_ON = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_GEMINI_", "QDRANT_", "OTEL_", "AWS_", "DOCUCHAT_")
PASSED_ON_EXACTLY = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})


class SettingError(Exception):
    """A setting does not work here; the text names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """What the launcher itself needs, and what it hands on."""

    home: Path
    port: int
    """Where the gateway listens, on loopback."""
    passed_on: Mapping[str, str] = field(repr=False)
    """Settings for the services, provider keys among them."""

    @property
    def url(self) -> str:
        """Where people find the gateway."""
        return f"http://127.0.0.1:{self.port}"


def read_settings(environment: Mapping[str, str], folder: Path) -> Settings:
    """Reads the settings; what the environment says goes before the folder's .env. Raises SettingError."""
    file = {name: value for name, value in dotenv_values(folder / ".env").items() if value}
    merged = {**file, **environment}
    home = Path(merged.get("DOCUCHAT_HOME") or DEFAULT_HOME).expanduser()
    return Settings(
        home=(folder / home).resolve(),
        port=_read_port(merged.get("DOCUCHAT_PORT") or str(DEFAULT_PORT)),
        passed_on={name: value for name, value in merged.items() if _is_passed_on(name)},
    )


def _is_passed_on(name: str) -> bool:
    return name.upper() in PASSED_ON_EXACTLY or name.startswith(PASSED_ON)


def _read_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingError(f"DOCUCHAT_PORT must be a port between 1 and 65535, but is {text!r}.")
    return int(text)


def check_port_is_free(port: int) -> None:
    """Raises SettingError if something listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SettingError(
                f"Port {port} is taken. Set DOCUCHAT_PORT to a free one, such as DOCUCHAT_PORT={port + 1}."
            ) from error
