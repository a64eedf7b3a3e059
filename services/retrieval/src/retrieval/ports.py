"""What the flows of retrieval need from the outside world."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from retrieval.model import (
    AbandonedVersion,
    Chunk,
    DocumentId,
    DocumentVersion,
    ExpectedVersion,
    Matches,
    Point,
    Scope,
    SparseVector,
    Standing,
    TenantId,
    Vector,
    VersionId,
)


class Embedder(Protocol):
    """Turns text into vectors of one model. Never cuts text off silently."""

    @property
    def model(self) -> str:
        """The model's name, part of the index generation."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        ...

    async def embed_query(self, text: str) -> Vector:
        """Returns one unit vector; served ahead of bulk work. Raises EmbedderUnavailable, EmbedderRefused."""
        ...

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Returns one unit vector per text, in order. Raises EmbedderUnavailable, EmbedderRefused."""
        ...


class Allowance(Protocol):
    """The tokens that tenants' plans leave for queries."""

    async def spend(self, tenant_id: str, user_id: str, tokens: int, api_key_id: str = "") -> None:
        """Takes tokens before the model is called. Raises AppError QUOTA_EXCEEDED where the plan has none left."""
        ...


class TermWeigher(Protocol):
    """Makes BM25 sparse vectors, the same for both engines."""

    def weigh_passage(self, text: str, language: str) -> SparseVector:
        """Returns the term frequencies of a passage."""
        ...

    def weigh_query(self, text: str, language: str) -> SparseVector:
        """Returns the query terms."""
        ...


class VectorIndex(Protocol):
    """The vector database, embedded or a cluster. Every call has a deadline.

    Raises IndexUnavailable, IndexRefused; what writes raises StorageFull too.
    """

    async def prepare(self) -> None:
        """Creates the collection and payload indexes where they are missing."""
        ...

    async def upsert(self, points: Sequence[Point]) -> None:
        """Stores points durably; a point with a known id is rewritten."""
        ...

    async def match(
        self,
        scope: Scope,
        dense: Vector,
        sparse: SparseVector,
        limit: int,
        leading: int = 0,
    ) -> Matches:
        """Returns both legs, best first, at most limit each. The one place that builds the tenant filter.

        What the `leading` ones of each leg stand for may come along; the rest is for read().
        """
        ...

    async def read(self, point_ids: Sequence[str]) -> Mapping[str, tuple[DocumentVersion, Chunk]]:
        """Returns what points stand for, by their ids; without those that are gone. For ids that match() gave."""
        ...

    async def count(self, tenant_id: TenantId, version_id: VersionId) -> int:
        """Returns the exact number of points of a version."""
        ...

    async def delete_document(self, tenant_id: TenantId, document_id: DocumentId, *, keep_version_id: str = "") -> None:
        """Removes the points of a document, except those of one version."""
        ...

    async def delete_version(self, tenant_id: TenantId, version_id: VersionId) -> None:
        """Removes the points of one version."""
        ...

    async def flush(self) -> None:
        """Returns once everything stored so far survives a power cut."""
        ...

    async def drop_others(self, generations: Collection[str]) -> None:
        """Removes the collections of every generation that is neither the present one nor one of these."""
        ...

    async def ping(self) -> str:
        """Returns the engine's version."""
        ...

    async def close(self) -> None:
        """Releases what was opened."""
        ...


class VersionRegistry(Protocol):
    """Which version of a document searches may see, in the present index generation.

    Shared by all replicas; raises DependencyUnavailable.
    """

    async def begin_version(self, version: DocumentVersion) -> None:
        """Records that a version may have points from now on, invisible ones.

        Raises DocumentDeleted; IndexUnavailable while a sweep removes the version's points.
        """
        ...

    async def check_writable(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Raises DocumentDeleted if the document has its tombstone."""
        ...

    async def activate_version(self, tenant_id: TenantId, document_id: DocumentId, version_id: VersionId) -> bool:
        """Makes one version the visible one, in one transaction.

        Raises DocumentDeleted; IndexUnavailable while a sweep removes the version's points.
        Returns whether the points of the document's other versions may go now: not while
        a version that began later is still being indexed.
        """
        ...

    async def forget_retired_versions(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Drops the records of versions that were visible once and whose points are gone."""
        ...

    async def bury_document(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Sets the tombstone: invisible from the commit on, and closed to new chunks for good."""
        ...

    async def find_abandoned(self, limit: int) -> Sequence[AbandonedVersion]:
        """Returns versions of all tenants that are neither visible nor in progress, at most limit."""
        ...

    async def claim_abandoned(self, version: AbandonedVersion) -> bool:
        """Closes a version to writers for as long as its points are removed; False if it began anew or is active."""
        ...

    async def forget_abandoned(self, version: AbandonedVersion) -> None:
        """Drops the record of a claimed version, whose points are gone."""
        ...

    async def describe(self, versions: Sequence[ExpectedVersion]) -> list[Standing]:
        """Returns how versions of any tenants stand, in their order."""
        ...

    async def find_generations(self) -> frozenset[str] | None:
        """Returns every index generation that a version is recorded in; None if one is recorded without."""
        ...

    async def find_visible(self, tenant_id: TenantId, version_ids: Sequence[VersionId]) -> frozenset[str]:
        """Returns those of the versions that are active in the present index generation."""
        ...

    async def list_documents(self, tenant_id: TenantId, limit: int) -> Mapping[DocumentId, Sequence[VersionId]]:
        """Returns at most limit documents of a tenant with their recorded versions, buried ones too."""
        ...

    async def forget_document(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Drops every record of a document whose points are gone, its tombstone too."""
        ...
