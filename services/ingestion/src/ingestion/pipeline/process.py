"""From a stored file to a document that can be searched: parse, chunk, index, activate."""

import asyncio
import errno
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ingestion.errors import Refused
from ingestion.model import ChunkedText, DocumentState, DocumentVersion, Job
from ingestion.ports import Meter, ObjectStore, Parser, PassageIndex, WorkStore
from ingestion.text import ParsedDocument
from servicekit.errors import AppError, StorageFull
from servicekit.telemetry import span

PROGRESS_SECONDS = 1.0
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
# Longer than a book takes; what was used is counted however long it took.
HOLD_SECONDS = 3600
# What the index answers when points that it once confirmed are not there.
INCOMPLETE = "VERSION_INCOMPLETE"
Cut = Callable[[ParsedDocument, str], ChunkedText]


@dataclass(frozen=True)
class DocumentProcessor:
    """Does the process job. Every step may be repeated: what it writes replaces what an earlier try wrote.

    `cut` cuts a parsed document with a given filename into chunks (CPU-bound, called in a thread).
    """

    objects: ObjectStore
    work: WorkStore
    parser: Parser
    cut: Cut
    index: PassageIndex
    meter: Meter
    scratch: Path

    async def process(self, job: Job) -> None:
        """Brings a version to READY or NO_TEXT.

        Raises ParseFailure, LeaseLost, ObjectMissing, Refused and other AppErrors.
        """
        version = await self.work.load(job)
        # An earlier try may have come this far: then the file need not be read again.
        chunked = await self.work.load_chunked(job)
        if chunked is None:
            chunked = await self._read_and_cut(job, version)
        if not chunked.chunks:
            await self.work.finish(job, DocumentState.NO_TEXT, message="The file is fine and holds no text.")
            return
        await self._reserve(version, chunked)
        embedded_by = await self._index_and_activate(job, version, chunked)
        await self.work.finish(job, DocumentState.READY, embedded_by=embedded_by)

    async def _read_and_cut(self, job: Job, version: DocumentVersion) -> ChunkedText:
        await self.work.enter(job, DocumentState.PARSING)
        with span("parse"):
            document = await self._parse(job, version)
        await self.work.enter(job, DocumentState.CHUNKING)
        with span("chunk"):
            chunked = await asyncio.to_thread(self.cut, document, version.filename)
        with span("store chunks"):
            await self.work.store_chunked(job, chunked)
        return chunked

    async def _parse(self, job: Job, version: DocumentVersion) -> ParsedDocument:
        with open_scratch(self.scratch) as folder:
            path = folder / "document"
            await self.objects.download(job.placement.raw_key, path)
            return await self.parser.parse(path, version.content_type)

    async def _reserve(self, version: DocumentVersion, chunked: ChunkedText) -> None:
        """Sets aside what embedding all chunks takes, before any of them is paid for. Raises Refused, AppError."""
        if chunked.indexed_count >= len(chunked.chunks):
            return
        tokens = sum(chunk.token_count for chunk in chunked.chunks)
        try:
            await self.meter.reserve(version.tenant_id, version.version_id, tokens, HOLD_SECONDS)
        except AppError as error:
            if error.reason != QUOTA_EXCEEDED:
                raise
            # To wait for it might take a month, and whoever has uploaded it could not tell.
            raise Refused(QUOTA_EXCEEDED, error.message) from error

    async def _index_and_activate(self, job: Job, version: DocumentVersion, chunked: ChunkedText) -> str:
        await self.work.enter(job, DocumentState.INDEXING)
        with span("index"):
            await self._index_chunks(job, version, chunked)
        with span("activate"):
            return await self._activate(job, version, chunked)

    async def _index_chunks(self, job: Job, version: DocumentVersion, chunked: ChunkedText) -> None:
        """Sends what no earlier try has sent: embedding may be paid for, and an outage may come every few chunks."""
        if chunked.indexed_count >= len(chunked.chunks):
            return
        clock = asyncio.get_running_loop().time
        confirmed = shown = chunked.indexed_count
        next_show = clock()
        try:
            async with aclosing(self.index.index(version, chunked)) as counts:
                async for confirmed in counts:
                    if clock() >= next_show:
                        await self.work.record_progress(job, confirmed)
                        shown, next_show = confirmed, clock() + PROGRESS_SECONDS
        except AppError:
            await self.work.record_progress(job, confirmed)
            raise
        if confirmed != shown:
            await self.work.record_progress(job, confirmed)

    async def _activate(self, job: Job, version: DocumentVersion, chunked: ChunkedText) -> str:
        try:
            return await self.index.activate(version, len(chunked.chunks))
        except AppError as error:
            if error.reason == INCOMPLETE:
                await self.work.record_progress(job, 0)
            raise


@contextmanager
def open_scratch(parent: Path) -> Iterator[Path]:
    """Makes a folder that is gone when the block ends. Raises StorageFull if its disk is full, then or meanwhile."""
    try:
        with TemporaryDirectory(prefix="job-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise StorageFull("the scratch folder") from error
