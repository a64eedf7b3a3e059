"""Deleting: invisible at once, then vectors, files and rows."""

from collections.abc import Mapping

import structlog

from ingestion.model import Caller, Job, document_prefix
from ingestion.ports import DocumentStore, ObjectStore, PassageIndex, WorkStore
from servicekit.errors import AppError


async def request_delete(
    documents: DocumentStore, index: PassageIndex, caller: Caller, document_id: str, carrier: Mapping[str, str]
) -> None:
    """Hides a document and queues the removal of its parts. Raises DocumentNotFound."""
    await documents.begin_delete(caller, document_id, carrier)
    try:
        # Not left to the job alone: a search that begins after this answer must not see the document.
        await index.delete(caller.tenant_id, document_id)
    except AppError as error:
        structlog.get_logger().warning("the job will hide the document", document_id=document_id, reason=error.reason)


class DocumentRemover:
    """Does the delete job; every step may be repeated."""

    def __init__(self, objects: ObjectStore, work: WorkStore, index: PassageIndex) -> None:
        self._objects = objects
        self._work = work
        self._index = index

    async def remove(self, job: Job) -> None:
        """Removes vectors, then files, then rows, so that nothing is left that no row leads to."""
        await self._index.delete(job.tenant_id, job.document_id)
        await self._objects.delete_prefix(document_prefix(job.tenant_id, job.document_id))
        await self._work.remove_document(job)
