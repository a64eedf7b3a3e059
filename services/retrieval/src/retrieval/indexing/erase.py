"""Erasing what retrieval keeps of a tenant."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.model import DocumentId, TenantId, VersionId
from retrieval.ports import VectorIndex, VersionRegistry
from servicekit.erasure import Erased, Subject, add_up

BATCH = 50  # documents in a call


@dataclass(frozen=True)
class TenantEraser:
    """Removes vectors, then the records that led to them."""

    index: VectorIndex
    registry: VersionRegistry

    async def erase(self, subject: Subject) -> Erased:
        """Removes at most a batch of a tenant's documents. Raises AppError; what is removed stays removed.

        Of a user nothing is left here: vectors belong to documents, and with a
        document that is a user's alone ingestion has had its vectors removed.
        """
        if not subject.tenant_id:
            return Erased()
        tenant_id = TenantId(subject.tenant_id)
        found = await self.registry.list_documents(tenant_id, BATCH)
        parts = [await self._remove(tenant_id, each, version_ids) for each, version_ids in found.items()]
        return Erased(add_up(*parts), is_complete=len(found) < BATCH)

    async def _remove(
        self, tenant_id: TenantId, document_id: DocumentId, version_ids: Sequence[VersionId]
    ) -> dict[str, int]:
        # Closed first: whoever still writes sees the tombstone and removes what it wrote.
        await self.registry.bury_document(tenant_id, document_id)
        vectors = [await self.index.count(tenant_id, each) for each in version_ids]
        await self.index.delete_document(tenant_id, document_id)
        await self.registry.forget_document(tenant_id, document_id)
        return {"vectors": sum(vectors), "versions": len(version_ids), "documents": 1}
