"""What both adapters are told: which collection a model's vectors go to, and how long a call may take."""

import re
from dataclasses import dataclass

# Raised whenever points are stored another way, so that the versions in an older collection count as outdated.
FORMAT = 2
PREFIX = "chunks-"


@dataclass(frozen=True)
class Generation:
    """One embedding model's index. Another model or length is another collection: vectors never mix."""

    model: str
    dimensions: int

    @property
    def collection(self) -> str:
        """The collection's name: chunks-<model>-<dimensions>-v<format>, lower-case letters, digits, dots and dashes."""
        slug = re.sub(r"[^a-z0-9.]+", "-", self.model.lower()).strip("-.")
        return f"{PREFIX}{slug[:60]}-{self.dimensions}-v{FORMAT}"


@dataclass(frozen=True)
class Deadlines:
    """Seconds, connecting included."""

    ping: float = 2.0
    read: float = 5.0
    write: float = 30.0
    # Opening a collection of the embedded engine replays what was written since its last flush.
    prepare: float = 60.0
