"""When keys were last used: coarse, and written off the way of the request."""

from datetime import datetime, timedelta

from auth.model.keys import ApiKey
from auth.ports.keys import ApiKeyStore
from servicekit.repeating import repeat

COARSE = timedelta(minutes=1)
EVERY_SECONDS = 1.0
# Beyond it uses go unnoted until the store has caught up; nobody waits for it.
MOST_WAITING = 10_000


class LastUses:
    """The uses that are to be stored."""

    def __init__(self, store: ApiKeyStore) -> None:
        self._store = store
        self._waiting: dict[tuple[str, str], datetime] = {}

    def note(self, key: ApiKey, now: datetime) -> None:
        """Notes a use, unless one of this minute is known, whichever replica has noted it."""
        is_new = key.last_use_time is None or now - key.last_use_time >= COARSE
        if is_new and len(self._waiting) < MOST_WAITING:
            self._waiting[key.tenant_id, key.api_key_id] = now

    async def follow(self) -> None:
        """Stores what was noted, for as long as the process lives."""
        await repeat("api key uses", self.store_all, every_seconds=EVERY_SECONDS)

    async def store_all(self) -> None:
        """Stores what was noted; what cannot be stored now waits for the next round."""
        for (tenant_id, api_key_id), moment in list(self._waiting.items()):
            await self._store.note_use(tenant_id, api_key_id, moment)
            del self._waiting[tenant_id, api_key_id]
