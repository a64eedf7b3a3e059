"""Which collection a model's vectors go to."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Generation:
    """One embedding model's index. Another model or length is another collection: vectors never mix."""

    model: str
    dimensions: int

    @property
    def collection(self) -> str:
        """The collection's name: chunks-<model>-<dimensions>, lower-case letters, digits, dots and dashes."""
        slug = re.sub(r"[^a-z0-9.]+", "-", self.model.lower()).strip("-.")
        return f"chunks-{slug[:60]}-{self.dimensions}"
