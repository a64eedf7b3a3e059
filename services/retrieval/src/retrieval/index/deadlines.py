"""How long calls to the vector database may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deadlines:
    """Seconds, connecting included."""

    ping: float = 2.0
    read: float = 5.0
    write: float = 30.0
    # Opening a collection of the embedded engine replays what was written since its last flush.
    prepare: float = 60.0
