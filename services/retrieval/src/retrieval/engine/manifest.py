"""What a collection's folder says about itself."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from retrieval.engine.disk import replace_text
from retrieval.engine.errors import CollectionDamaged

NAME = "collection.json"


@dataclass(frozen=True)
class Manifest:
    """The one file that says which shard of the folder is the collection's: replacing it swaps them."""

    dimensions: int
    shard: str = "shard"
    stale_since: float | None = None  # Unix time since when the files hold what was deleted

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the manifest of a collection. Raises CollectionDamaged."""
        try:
            return cls(**json.loads((folder / NAME).read_text()))
        except (FileNotFoundError, ValueError, TypeError) as error:
            raise CollectionDamaged from error

    def write(self, folder: Path) -> None:
        """Replaces the manifest of a collection, on the disk too."""
        replace_text(folder / NAME, json.dumps(asdict(self)))
