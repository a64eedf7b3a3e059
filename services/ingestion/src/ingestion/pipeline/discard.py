"""Removing what uploads leave behind that failed, were cancelled, or died with their process."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta

from ingestion.model import INCOMING_PREFIX, Placement
from ingestion.ports import DocumentStore, ObjectStore
from servicekit.errors import AppError
from servicekit.telemetry import count_event, get_logger

# Longer than an upload may take, so nothing under way is taken for a left-over.
ABANDONED_AFTER = timedelta(hours=1)
# How long to wait for a store that is away before it is asked again, in seconds; then the sweep has it.
ASK_AGAIN_AFTER = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)
MAX_UNDECIDED = 100


class UploadDiscarder:
    """Decides by the rows whether an upload happened.

    The temporary object stays until the transaction is known to have committed
    or not, so whatever moment a process dies in, the sweep finds what is left.
    """

    def __init__(self, objects: ObjectStore, documents: DocumentStore) -> None:
        self._objects = objects
        self._documents = documents
        self._running: set[asyncio.Task[None]] = set()
        self._undecided = 0

    async def discard_in_peace(self, placements: Sequence[Placement]) -> None:
        """Discards also when the caller is cancelled meanwhile, and again later while a store is away."""
        await asyncio.shield(self._start(self._discard_or_postpone(placements)))

    async def forget(self, placements: Sequence[Placement]) -> None:
        """Removes the temporary objects of a committed upload, also when the caller is cancelled meanwhile."""
        await asyncio.shield(self._start(self._forget(placements)))

    async def sweep(self) -> None:
        """Discards uploads that were abandoned an hour ago; what is no upload is passed over. Raises AppError."""
        log = get_logger("uploads")
        keys = await self._objects.list_older(INCOMING_PREFIX, ABANDONED_AFTER)
        for key in keys:
            try:
                await self._discard([Placement.of_incoming(key)])
            except AppError:
                raise
            except Exception as error:  # noqa: BLE001 - one stray key must not keep the sweep from all behind it
                count_event("sweep.item.failed", error=type(error).__name__)
                log.warning("not swept", key=key, error=type(error).__name__)
        staging = await self._objects.remove_staging(INCOMING_PREFIX, ABANDONED_AFTER)
        log.info("swept", uploads=len(keys), staging_files=staging)

    async def _discard(self, placements: Sequence[Placement]) -> None:
        for placement in placements:
            if not await self._documents.has_version(placement.tenant_id, placement.version_id):
                await self._objects.delete([placement.raw_key])
            await self._objects.delete([placement.incoming_key])

    async def _forget(self, placements: Sequence[Placement]) -> None:
        try:
            await self._objects.delete([placement.incoming_key for placement in placements])
        except AppError as error:
            get_logger("uploads").warning("temporary objects stay for the sweep", reason=error.reason)

    async def _try_discard(self, placements: Sequence[Placement]) -> bool:
        try:
            await self._discard(placements)
        except AppError as error:
            get_logger("uploads").warning("an upload waits to be discarded", reason=error.reason)
            return False
        return True

    async def _discard_or_postpone(self, placements: Sequence[Placement]) -> None:
        if not await self._try_discard(placements) and self._undecided < MAX_UNDECIDED:
            self._start(self._discard_later(placements))

    async def _discard_later(self, placements: Sequence[Placement]) -> None:
        self._undecided += 1
        try:
            for seconds in ASK_AGAIN_AFTER:
                await asyncio.sleep(seconds)
                if await self._try_discard(placements):
                    return
        finally:
            self._undecided -= 1

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        # Kept, or the loop, which does not, might let it be collected half-way.
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task
