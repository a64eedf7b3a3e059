"""What is written to a collection while its files are being rewritten."""

from collections import deque

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2

Update = engine_pb2.UpsertPointsRequest | engine_pb2.DeletePointsRequest
MOST_BYTES = 64 * 1024 * 1024


class RecordingOverrun(Exception):
    """Raised when more was written than is worth holding in memory, or the collection was opened anew meanwhile."""


class Recording:
    """Updates in the order they came, up to a number of bytes; beyond it all of them are let go."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._updates: deque[Update] = deque()
        self._spare_bytes = most_bytes
        self._whole = True

    def __len__(self) -> int:
        return len(self._updates)

    def add(self, update: Update) -> None:
        """Keeps an update."""
        self._spare_bytes -= update.ByteSize()
        if self._spare_bytes < 0:
            self.give_up()
        if self._whole:
            self._updates.append(update)

    def give_up(self) -> None:
        """Lets everything go: what is held is not all that was written."""
        self._whole = False
        self._updates.clear()

    def require_whole(self) -> None:
        """Raises RecordingOverrun if something is missing."""
        if not self._whole:
            raise RecordingOverrun

    def take(self) -> Update:
        """Returns the oldest update and forgets it. Raises RecordingOverrun."""
        self.require_whole()
        return self._updates.popleft()
