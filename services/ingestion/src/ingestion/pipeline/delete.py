"""Deleting: invisible at once, then vectors, quotes, files and rows."""

from collections.abc import Mapping

import structlog

from ingestion.model import Caller, Job, document_prefix
from ingestion.ports import DocumentStore, ObjectStore, PassageIndex, QuoteStore, WorkStore
from servicekit.errors import AppError, DependencyUnavailable


async def request_delete(
    documents: DocumentStore, index: PassageIndex, caller: Caller, document_id: str, carrier: Mapping[str, str]
) -> None:
    """Hides a document and queues the removal of its parts.

    Raises DocumentNotFound, and DependencyUnavailable if the index cannot hide
    it: then nothing is deleted. No search after the answer finds the document.
    """
    await documents.require_deletable(caller, document_id)
    try:
        await index.hide(caller.tenant_id, document_id)
    except AppError as error:
        structlog.get_logger().warning("document not hidden", document_id=document_id, reason=error.reason)
        raise DependencyUnavailable("the search index") from error
    await documents.begin_delete(caller, document_id, carrier)


class DocumentRemover:
    """Does the delete job; every step may be repeated."""

    def __init__(self, objects: ObjectStore, work: WorkStore, index: PassageIndex, quotes: QuoteStore) -> None:
        self._objects = objects
        self._work = work
        self._index = index
        self._quotes = quotes

    async def remove(self, job: Job) -> None:
        """Removes vectors, quotes, files, then rows, so that nothing is left that no row leads to."""
        await self._index.delete(job.tenant_id, job.document_id)
        await self._quotes.erase(job.tenant_id, job.document_id)
        await self._objects.delete_prefix(document_prefix(job.tenant_id, job.document_id))
        await self._work.remove_document(job)
