"""Erasing what ingestion keeps of a user or a tenant: documents with their files, then what held them."""

from dataclasses import dataclass

from ingestion.model import Doomed, TenantId, document_prefix, tenant_prefixes
from ingestion.ports import ErasureStore, ObjectStore, PassageIndex
from servicekit.erasure import Erased, Subject, add_up

BATCH = 20  # documents in a call


@dataclass(frozen=True)
class DocumentEraser:
    """Erases documents as deleting does: hidden and stopped first, rows last, so that nothing is left behind."""

    store: ErasureStore
    objects: ObjectStore
    index: PassageIndex

    async def erase(self, subject: Subject) -> Erased:
        """Removes at most a batch of documents. Raises AppError; what is removed stays removed."""
        parts: list[dict[str, int]] = []
        left = BATCH
        for tenant_id in await self.store.list_tenants(subject):
            documents = await self.store.stop_work(tenant_id, subject, left)
            parts += [await self._remove(document, subject) for document in documents]
            left -= len(documents)
            if left <= 0:
                return Erased(add_up(*parts), is_complete=False)
            parts.append(await self._remove_rest(tenant_id, subject))
        return Erased(add_up(*parts))

    async def _remove(self, document: Doomed, subject: Subject) -> dict[str, int]:
        # Of a tenant retrieval removes all vectors itself; the tombstone keeps new ones out until then.
        forget = self.index.delete if subject.user_id else self.index.hide
        await forget(document.tenant_id, document.document_id)
        files = await self.objects.delete_prefix(document_prefix(document.tenant_id, document.document_id))
        return {**await self.store.remove_document(document), "files": files, "jobs": document.jobs}

    async def _remove_rest(self, tenant_id: TenantId, subject: Subject) -> dict[str, int]:
        """Removes what no document leads to: collections, and files of uploads that never became one."""
        collections = await self.store.remove_collections(tenant_id, subject)
        if not subject.tenant_id:
            return {"collections": collections}
        files = [await self.objects.delete_prefix(prefix) for prefix in tenant_prefixes(tenant_id)]
        return {"collections": collections, "files": sum(files)}
