"""What was worked out before and may be asked for again."""

from collections import OrderedDict
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
# What Python itself takes for a key and its place, so that many small entries do not go uncounted.
ENTRY_BYTES = 256


class Memory(Generic[KeyT, ValueT]):
    """Values by key, up to a number of bytes; what was used longest ago is forgotten first.

    For one thread at a time. Whoever's answers differ, such as a tenant, belongs into the key.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0
        self._entries: OrderedDict[KeyT, tuple[ValueT, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def recall(self, key: KeyT) -> ValueT | None:
        """Returns the value of a key, if it is still there."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def remember(self, key: KeyT, value: ValueT, size_bytes: int) -> None:
        """Keeps a value that takes about so many bytes, its key's included."""
        self._forget_one(key)
        self._entries[key] = (value, size_bytes + ENTRY_BYTES)
        self._held_bytes += size_bytes + ENTRY_BYTES
        while self._held_bytes > self._most_bytes:
            self._forget_one(next(iter(self._entries)))

    def forget_all(self) -> None:
        """Lets go of everything, as something changed that the values hang on."""
        self._entries.clear()
        self._held_bytes = 0

    def _forget_one(self, key: KeyT) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._held_bytes -= entry[1]
