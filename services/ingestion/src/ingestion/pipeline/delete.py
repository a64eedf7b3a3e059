"""Deleting: invisible at once, then vectors, quotes, files and rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.model import Caller, DocumentId, Job, document_prefix
from ingestion.ports import DocumentStore, ObjectStore, PassageIndex, QuoteStore, WorkStore
from servicekit.errors import AppError, DependencyUnavailable
from servicekit.telemetry import get_logger


async def request_delete(
    documents: DocumentStore, index: PassageIndex, caller: Caller, document_id: DocumentId, carrier: Mapping[str, str]
) -> None:
    """Hides a document and queues the removal of its parts.

    Raises DocumentNotFound, and DependencyUnavailable if the index cannot hide
    it: then nothing is deleted. No search after the answer finds the document.
    """
    await documents.require_deletable(caller, document_id)
    try:
        await index.hide(caller.tenant_id, document_id)
    except AppError as error:
        get_logger("documents").warning("document not hidden", document_id=document_id, reason=error.reason)
        raise DependencyUnavailable("the search index") from error
    await documents.begin_delete(caller, document_id, carrier)


@dataclass(frozen=True)
class DocumentRemover:
    """Does the delete job; every step may be repeated."""

    objects: ObjectStore
    work: WorkStore
    index: PassageIndex
    quotes: QuoteStore

    async def remove(self, job: Job) -> None:
        """Removes vectors, quotes, files, then rows, so that nothing is left that no row leads to."""
        await self.index.delete(job.tenant_id, job.document_id)
        await self.quotes.erase(job.tenant_id, job.document_id)
        await self.objects.delete_prefix(document_prefix(job.tenant_id, job.document_id))
        await self.work.remove_document(job)
