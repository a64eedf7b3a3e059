"""The signing keys of one folder: which of them signs, and which are published, follows from their names and the time.

`signing_key.pem` signs from the beginning, `signing_key.20260102T030405Z.pem`
from that moment on. So replicas that read the same files agree without talking,
a restart forgets nothing, and exchanging the key is writing a file.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from auth.errors.accounts import RotationUnderWay
from auth.security.keys import KeyFileError, load_published_key, load_signing_key, name_key
from servicekit.repeating import repeat
from servicekit.telemetry import get_logger

LOOK_SECONDS = 5.0
MOMENT = "%Y%m%dT%H%M%SZ"
BEGINNING = datetime.min.replace(tzinfo=UTC)
# The longest token lives an hour, and whoever verifies it forgives a minute.
TOKENS_LIVE = timedelta(hours=1, minutes=2)


@dataclass(frozen=True)
class TimedKey:
    """A key that signs from a moment on, until the next one does."""

    key_id: str
    key: Ed25519PrivateKey
    public: Ed25519PublicKey
    sign_time: datetime

    @classmethod
    def of(cls, key: Ed25519PrivateKey, sign_time: datetime) -> "TimedKey":
        """Returns the key with its name."""
        public = key.public_key()
        return cls(name_key(public), key, public, sign_time)


class KeyRing:
    """The keys as they are on disk now; a KeySource for tokens of our own. Raises KeyFileError if none can sign."""

    def __init__(self, file: Path, others: Iterable[Path], clock: Callable[[], datetime]) -> None:
        self._file = file
        self._clock = clock
        loaded = (load_published_key(path) for path in others)
        self._others = {name_key(key): key for key in loaded}
        self._keys: Mapping[str, TimedKey] = {}
        self.read()

    def read(self) -> None:
        """Reads the files; keys that are known stay the same objects, as verifiers remember them."""
        found = {each.key_id: self._keys.get(each.key_id, each) for each in read_keys(self._file)}
        if not any(each.sign_time <= self._clock() for each in found.values()):
            raise KeyFileError(f"{self._file} is missing, and no other key beside it signs yet")
        self._keys = found

    async def follow(self) -> None:
        """Reads the files again and again; what cannot be read changes nothing."""
        await repeat("keys", self._look, every_seconds=LOOK_SECONDS)

    def find_signing(self) -> TimedKey:
        """Returns the key that signs now."""
        now = self._clock()
        return max((each for each in self._keys.values() if each.sign_time <= now), key=lambda each: each.sign_time)

    def list_public(self) -> dict[str, Ed25519PublicKey]:
        """Returns the keys that verifiers should know, by id: the one that signs, the next and the last."""
        alive = list_alive(list(self._keys.values()), self._clock())
        return {each.key_id: each.public for each in alive} | self._others

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """Returns the key of this id, or None."""
        return self.list_public().get(kid)

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self.read)
        except KeyFileError as error:
            get_logger("keys").error("key files not read", why=str(error))


def read_keys(file: Path) -> list[TimedKey]:
    """Returns the keys of the file and those beside it that are named after a moment. Raises KeyFileError."""
    paths = [(file, BEGINNING)] if file.exists() else []
    paths += find_timed(file)
    if not paths:
        # For the sentence that says why.
        load_signing_key(file)
    return [TimedKey.of(load_signing_key(path), moment) for path, moment in paths]


def find_timed(file: Path) -> list[tuple[Path, datetime]]:
    """Returns the key files beside one that are named after it and a moment, with that moment."""
    beside = [path for path in file.parent.glob(f"{file.stem}.*") if path != file]
    return [(path, moment) for path in beside if (moment := read_moment(path.name, file)) is not None]


def read_moment(name: str, file: Path) -> datetime | None:
    """Returns the moment in a key file's name, None if there is none."""
    text = name.removeprefix(f"{file.stem}.").removesuffix(file.suffix)
    try:
        return datetime.strptime(text, MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None


def list_alive(keys: Sequence[TimedKey], now: datetime) -> list[TimedKey]:
    """Returns the keys that tokens may be signed with, or will be: the newest first."""
    ordered = sorted(keys, key=lambda each: each.sign_time, reverse=True)
    ends = [datetime.max.replace(tzinfo=UTC), *(each.sign_time for each in ordered)]
    return [each for each, end in zip(ordered, ends, strict=False) if end > now - TOKENS_LIVE]


def write_next_key(file: Path, now: datetime, lead: timedelta) -> TimedKey:
    """Makes the key that signs after the lead, and removes those that have been replaced for long.

    Raises RotationUnderWay while the last one made does not sign yet, KeyFileError if the folder is read-only.
    """
    keys = read_keys(file)
    pending = max(each.sign_time for each in keys)
    if pending > now:
        raise RotationUnderWay(pending - now)
    alive = {each.sign_time for each in list_alive(keys, now)}
    sign_time = (now + lead).replace(microsecond=0)
    key = Ed25519PrivateKey.generate()
    try:
        write_private(file.with_name(f"{file.stem}.{sign_time.strftime(MOMENT)}{file.suffix}"), key)
        for path, moment in find_timed(file):
            if moment not in {*alive, sign_time}:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise KeyFileError(f"{file.parent} cannot be written ({error.strerror}); exchange keys where it can") from error
    return TimedKey.of(key, sign_time)


def write_private(path: Path, key: Ed25519PrivateKey) -> None:
    """Writes a key that only its owner may read; it appears whole or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
