"""Which collection a model's vectors go to."""

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
