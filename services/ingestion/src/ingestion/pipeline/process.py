"""From a stored file to a document that can be searched: parse, chunk, index, activate."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from ingestion.model import DocumentState, DocumentVersion, Job, PreparedText
from ingestion.pipeline.scratch import open_scratch
from ingestion.ports import ObjectStore, Parser, PassageIndex, WorkStore
from ingestion.text import ParsedDocument
from servicekit.errors import AppError
from servicekit.telemetry import span

PROGRESS_SECONDS = 1.0
# What the index answers when points that it once confirmed are not there.
INCOMPLETE = "VERSION_INCOMPLETE"
Prepare = Callable[[ParsedDocument, str], PreparedText]


@dataclass(frozen=True)
class DocumentProcessor:
    """Does the process job. Every step may be repeated: what it writes replaces what an earlier try wrote.

    `prepare` cuts a parsed document with a given filename into chunks (CPU-bound, called in a thread).
    """

    objects: ObjectStore
    work: WorkStore
    parser: Parser
    prepare: Prepare
    index: PassageIndex
    scratch: Path

    async def process(self, job: Job) -> None:
        """Brings a version to READY or NO_TEXT.

        Raises ParseFailure, LeaseLost, ObjectMissing, Refused and other AppErrors.
        """
        version = await self.work.load(job)
        # An earlier try may have come this far: then the file need not be read again.
        prepared = await self.work.load_prepared(job)
        if prepared is None:
            prepared = await self._read_and_cut(job, version)
        if not prepared.chunks:
            await self.work.finish(job, DocumentState.NO_TEXT, message="The file is fine and holds no text.")
            return
        await self._index_and_activate(job, version, prepared)
        await self.work.finish(job, DocumentState.READY)

    async def _read_and_cut(self, job: Job, version: DocumentVersion) -> PreparedText:
        await self.work.enter(job, DocumentState.PARSING)
        with span("parse"):
            document = await self._parse(job, version)
        await self.work.enter(job, DocumentState.CHUNKING)
        with span("chunk"):
            prepared = await asyncio.to_thread(self.prepare, document, version.filename)
        with span("store chunks"):
            await self.work.store_prepared(job, prepared)
        return prepared

    async def _parse(self, job: Job, version: DocumentVersion) -> ParsedDocument:
        with open_scratch(self.scratch) as folder:
            path = folder / "document"
            await self.objects.download(job.placement.raw_key, path)
            return await self.parser.parse(path, version.content_type)

    async def _index_and_activate(self, job: Job, version: DocumentVersion, prepared: PreparedText) -> None:
        await self.work.enter(job, DocumentState.INDEXING)
        with span("index"):
            await self._index_chunks(job, version, prepared)
        with span("activate"):
            await self._activate(job, version, prepared)

    async def _index_chunks(self, job: Job, version: DocumentVersion, prepared: PreparedText) -> None:
        """Sends what no earlier try has sent: embedding may be paid for, and an outage may come every few chunks."""
        if prepared.indexed_count >= len(prepared.chunks):
            return
        clock = asyncio.get_running_loop().time
        confirmed = shown = prepared.indexed_count
        next_show = clock()
        try:
            async with aclosing(self.index.index(version, prepared)) as counts:
                async for confirmed in counts:
                    if clock() >= next_show:
                        await self.work.record_progress(job, confirmed)
                        shown, next_show = confirmed, clock() + PROGRESS_SECONDS
        except AppError:
            await self.work.record_progress(job, confirmed)
            raise
        if confirmed != shown:
            await self.work.record_progress(job, confirmed)

    async def _activate(self, job: Job, version: DocumentVersion, prepared: PreparedText) -> None:
        try:
            await self.index.activate(version, len(prepared.chunks))
        except AppError as error:
            if error.reason == INCOMPLETE:
                await self.work.record_progress(job, 0)
            raise
