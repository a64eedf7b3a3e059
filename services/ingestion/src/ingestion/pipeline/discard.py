"""Removing what uploads leave behind that failed, were cancelled, or died with their process."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from ingestion.model import INCOMING_PREFIX, Placement
from ingestion.ports import DocumentStore, ObjectStore
from servicekit.errors import AppError

# Longer than an upload may take, so nothing under way is taken for a left-over.
ABANDONED_AFTER = timedelta(hours=1)


class UploadDiscarder:
    """Decides by the rows whether an upload happened.

    The temporary object stays until the transaction is known to have committed
    or not, so whatever moment a process dies in, the sweep finds what is left.
    """

    def __init__(self, objects: ObjectStore, documents: DocumentStore) -> None:
        self._objects = objects
        self._documents = documents
        self._running: set[asyncio.Task[None]] = set()

    async def discard_in_peace(self, placements: Sequence[Placement]) -> None:
        """Discards also when the caller is cancelled meanwhile; a failure is logged and left to the sweep."""
        task = asyncio.ensure_future(self._discard_logged(placements))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def forget(self, placements: Sequence[Placement]) -> None:
        """Removes the temporary objects of a committed upload; a failure is logged and left to the sweep."""
        try:
            await self._objects.delete([placement.incoming_key for placement in placements])
        except AppError as error:
            structlog.get_logger().warning("temporary objects stay for the sweep", reason=error.reason)

    async def sweep(self) -> int:
        """Discards uploads that were abandoned an hour ago; returns how many temporary files that were."""
        keys = await self._objects.list_older(INCOMING_PREFIX, ABANDONED_AFTER)
        await self._discard([Placement.of_incoming(key) for key in keys])
        return len(keys) + await self._objects.remove_staging(INCOMING_PREFIX, ABANDONED_AFTER)

    async def _discard(self, placements: Sequence[Placement]) -> None:
        for placement in placements:
            if not await self._documents.has_version(placement.tenant_id, placement.version_id):
                await self._objects.delete([placement.raw_key])
            await self._objects.delete([placement.incoming_key])

    async def _discard_logged(self, placements: Sequence[Placement]) -> None:
        try:
            await self._discard(placements)
        except AppError as error:
            structlog.get_logger().warning("an upload is left to the sweep", reason=error.reason)
