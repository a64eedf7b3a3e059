"""The nouns of retrieval and the errors its flows raise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from servicekit.errors import AppError, Code

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SparseVector:
    """Term weights: parallel lists of term ids and their weights."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class DocumentVersion:
    """The version of a document that chunks belong to, and who may see it."""

    tenant_id: str
    document_id: str
    version_id: str
    collection_id: str
    private_to_user_id: str  # empty if every member of the tenant may see it
    filename: str
    title: str
    language: str  # ISO 639-1, empty where unknown


@dataclass(frozen=True)
class AbandonedVersion:
    """A version that may still have points and will never be shown, as it was recorded."""

    tenant_id: str
    document_id: str
    version_id: str
    begin_time: datetime


@dataclass(frozen=True)
class ExpectedVersion:
    """A version that searches should see, and how many chunks it has."""

    tenant_id: str
    document_id: str
    version_id: str
    chunk_count: int


class Standing(StrEnum):
    """How the registry sees a version, without a look at its points."""

    VISIBLE = "VISIBLE"
    INVISIBLE = "INVISIBLE"
    OTHER_GENERATION = "OTHER_GENERATION"
    BURIED = "BURIED"


class Condition(StrEnum):
    """How a version stands in the index."""

    INTACT = "INTACT"
    DAMAGED = "DAMAGED"
    OUTDATED = "OUTDATED"
    HIDDEN = "HIDDEN"


@dataclass(frozen=True)
class Chunk:
    """A piece of canonical text; offsets count code points, pages from 1 (0: no pages)."""

    chunk_index: int
    text: str
    start_offset: int
    end_offset: int
    page_start: int
    page_end: int
    heading_path: tuple[str, ...] = ()
    page_break_offsets: tuple[int, ...] = ()


@dataclass(frozen=True)
class Point:
    """A chunk with its vectors, as the vector index stores it."""

    point_id: str
    version: DocumentVersion
    chunk: Chunk
    dense: Vector
    sparse: SparseVector


@dataclass(frozen=True)
class Scope:
    """What one caller may search: the tenant wall, the user wall and the caller's own narrowing."""

    tenant_id: str
    user_id: str
    collection_ids: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Match:
    """A point that one leg of a search found; higher scores are better within the leg."""

    version: DocumentVersion
    chunk: Chunk
    score: float


@dataclass(frozen=True)
class Highlight:
    """Canonical text [start_offset, end_offset) and the share of the query that it covers, from 0 to 1."""

    start_offset: int
    end_offset: int
    score: float


@dataclass(frozen=True)
class Hit:
    """A visible passage with its fused score from 0 to 1 and its best sentences, best first.

    similarity is the cosine to the query, 0 where the dense leg did not find the passage; relevance says how surely
    the passage is about what the query asks, from 0 to 1, and is comparable between queries.
    """

    version: DocumentVersion
    chunk: Chunk
    score: float
    highlights: tuple[Highlight, ...] = ()
    similarity: float = 0.0
    relevance: float = 0.0


@dataclass(frozen=True)
class Matches:
    """The two legs of one hybrid query, each best first."""

    dense: Sequence[Match]
    sparse: Sequence[Match]


class EmptyQuery(AppError):
    """Raised when a query holds nothing to search for."""

    def __init__(self) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "EMPTY_QUERY", "The query is blank: send the words to search for.")


class IndexUnavailable(AppError):
    """Raised when the vector index does not answer in time."""

    retried = True  # the call waited for the index, or was repeated by the channel to it

    def __init__(self) -> None:
        super().__init__(
            Code.UNAVAILABLE,
            "INDEX_UNAVAILABLE",
            "The vector index does not answer; try again in a moment.",
            retry_after_seconds=1,
        )


class IndexRefused(AppError):
    """Raised when the vector index refuses what it was sent."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "INDEX_REFUSED",
            "The vector index refuses the request, and would again: see the log of retrieval.",
        )


class EmbedderUnavailable(AppError):
    """Raised when the embedding model or its provider does not answer in time."""

    retried = True  # by the one retry policy of embedders/

    def __init__(self) -> None:
        super().__init__(
            Code.UNAVAILABLE,
            "EMBEDDER_UNAVAILABLE",
            "The embedding model does not answer; try again in a moment.",
            retry_after_seconds=1,
        )


class EmbedderRefused(AppError):
    """Raised when the provider of the embedding model refuses the key, the model's name or the text."""

    def __init__(self, status: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "EMBEDDER_REFUSED",
            f"The embedding model refuses the request with status {status}, and would again: "
            "check its key, its name and its limits.",
            metadata={"status": str(status)},
        )


class VersionIncomplete(AppError):
    """Raised when a version is to be activated before all its chunks are indexed."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "VERSION_INCOMPLETE",
            f"{found} of {expected} chunks are indexed: send the missing ones, then activate.",
            metadata={"expected": str(expected), "found": str(found)},
        )


class InvalidIndexStream(AppError):
    """Raised when an index stream lacks its header or sends a second one."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, "INVALID_INDEX_STREAM", message)


class DocumentDeleted(AppError):
    """Raised when a document that is being deleted is written to."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION, "DOCUMENT_DELETED", "The document is being deleted and takes no more chunks."
        )
