"""The nouns of retrieval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]

TenantId = NewType("TenantId", str)
DocumentId = NewType("DocumentId", str)
VersionId = NewType("VersionId", str)
UserId = NewType("UserId", str)
CollectionId = NewType("CollectionId", str)


@dataclass(frozen=True)
class SparseVector:
    """Term weights: parallel lists of term ids and their weights."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class DocumentVersion:
    """The version of a document that chunks belong to, and who may see it."""

    tenant_id: TenantId
    document_id: DocumentId
    version_id: VersionId
    collection_id: CollectionId
    private_to_user_id: str  # empty if every member of the tenant may see it
    filename: str
    title: str
    language: str  # ISO 639-1, empty where unknown


@dataclass(frozen=True)
class AbandonedVersion:
    """A version that may still have points and will never be shown, as it was recorded."""

    tenant_id: TenantId
    document_id: DocumentId
    version_id: VersionId
    begin_time: datetime


@dataclass(frozen=True)
class ExpectedVersion:
    """A version that searches should see, and how many chunks it has."""

    tenant_id: TenantId
    document_id: DocumentId
    version_id: VersionId
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
    token_count: int = 0  # cl100k_base; 0 where unknown


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

    tenant_id: TenantId
    user_id: UserId
    collection_ids: tuple[CollectionId, ...] = ()
    document_ids: tuple[str, ...] = ()
    api_key_id: str = ""  # what is spent is noted as this key's


@dataclass(frozen=True)
class Match:
    """A point that a search found, with what its rank and visibility hang on; higher scores are better."""

    point_id: str
    version_id: VersionId
    language: str
    chunk_index: int
    score: float
    similarity: float = 0.0  # the cosine to the query, where the dense leg found it


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
    """The two legs of one hybrid query, each best first, and by point id what some of them stand for."""

    dense: Sequence[Match]
    sparse: Sequence[Match]
    passages: Mapping[str, tuple[DocumentVersion, Chunk]] = field(default_factory=dict)
