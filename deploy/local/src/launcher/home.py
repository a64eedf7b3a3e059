"""Where the launcher keeps things: one folder, with one sub-folder for each kind of thing."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# sun_path holds 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100


class AlreadyRunningError(Exception):
    """Another launcher works on the same home."""


@dataclass(frozen=True)
class Home:
    """The paths below DOCUCHAT_HOME."""

    root: Path

    @property
    def secrets(self) -> Path:
        """Keys and passwords, for the owner's eyes only."""
        return self.root / "secrets"

    @property
    def mail(self) -> Path:
        """Mails, where no SMTP server takes them."""
        return self.root / "mail"

    @property
    def logs(self) -> Path:
        """One file for each process; the run before is kept as ``<name>.log.1``."""
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.root / "postgres"

    @property
    def envoy(self) -> Path:
        """The rendered gateway configuration."""
        return self.root / "envoy"

    @property
    def state(self) -> Path:
        """Which processes run; see launcher.state."""
        return self.root / "run" / "state.json"

    @property
    def lock(self) -> Path:
        """Held while a launcher runs."""
        return self.root / "run" / "lock"

    def data(self, service: str) -> Path:
        """The folder where a service keeps its own files."""
        return self.root / "data" / service

    def socket(self, name: str) -> Path:
        """A path for a unix socket, short enough for the kernel whatever the home is called."""
        path = self.root / "run" / f"{name}.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"docuchat-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / f"{name}.sock"

    def create(self) -> None:
        """Makes the folders; others may pass through the root (PostgreSQL may run as another user) but not look."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for folder in (self.secrets, self.mail, self.logs, self.root / "run", self.root / "data", self.envoy):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)


@contextmanager
def hold_lock(home: Home) -> Iterator[None]:
    """Holds the home's lock; raises AlreadyRunningError at once if someone else does.

    The kernel lets go of it when the holder dies, however it dies.
    """
    with home.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise AlreadyRunningError(
                f"DocuChat already runs on {home.root} (process {holder}). Stop it with "
                "`.venv/bin/python -m launcher stop`, or set DOCUCHAT_HOME to another folder."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
