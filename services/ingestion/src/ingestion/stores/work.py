"""What the worker writes, each write fenced by its claim."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ingestion.errors import LeaseLost
from ingestion.model import ChunkedText, DocumentState, DocumentVersion, Job, JobKind, Visibility
from ingestion.stores.jobs import enqueue, held_by
from ingestion.stores.tables import CHUNKS, COLLECTIONS, DOCUMENTS, JOBS, SCHEMA, VERSIONS
from ingestion.stores.texts import read_characters, read_chunks, replace_chunks, replace_text
from ingestion.text import ContentType, ParsedDocument
from servicekit.database import Database
from servicekit.metering.model import UsageEntry
from servicekit.metering.outbox import UsageOutbox

# Whoever uploaded before uploads were counted.
NOBODY = "00000000-0000-0000-0000-000000000000"


class PostgresWorkStore:
    """A WorkStore: every transaction locks the job's row, and ends if a newer claim holds it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outbox = UsageOutbox(SCHEMA, database)

    async def load(self, job: Job) -> DocumentVersion:
        """Returns what the job is about."""
        statement = (
            sa.select(DOCUMENTS, VERSIONS.c.content_type, COLLECTIONS.c.visibility, COLLECTIONS.c.owner_user_id)
            .join(COLLECTIONS, COLLECTIONS.c.collection_id == DOCUMENTS.c.collection_id)
            .join(VERSIONS, VERSIONS.c.document_id == DOCUMENTS.c.document_id)
            .where(VERSIONS.c.version_id == job.version_id)
        )
        async with self._fenced(job) as connection:
            return _to_version(job, (await connection.execute(statement)).mappings().one())

    async def load_chunked(self, job: Job) -> ChunkedText | None:
        """Returns the text and chunks that an earlier attempt stored."""
        statement = sa.select(VERSIONS).where(VERSIONS.c.version_id == job.version_id)
        async with self._fenced(job) as connection:
            row = (await connection.execute(statement)).mappings().one()
            if not row["has_text"]:
                return None
            text = await read_characters(connection, job.version_id, 0, row["character_count"])
            chunks = tuple(await read_chunks(connection, job.version_id, 0, row["chunk_count"]))
        document = ParsedDocument(text=text, pages=(), headings=(), title=row["title"], page_count=row["page_count"])
        return ChunkedText(
            document=document,
            chunks=chunks,
            title=row["title"],
            language=row["language"],
            token_count=row["token_count"],
            indexed_count=row["indexed_chunk_count"],
        )

    async def enter(self, job: Job, state: DocumentState) -> None:
        """Shows the state the work has reached."""
        async with self._fenced(job) as connection:
            await _set_state(connection, job, state)

    async def store_chunked(self, job: Job, chunked: ChunkedText) -> None:
        """Replaces the version's text and chunks with these."""
        async with self._fenced(job) as connection:
            await replace_text(connection, job.tenant_id, job.version_id, chunked.document.text)
            await replace_chunks(connection, job.tenant_id, job.version_id, chunked.chunks)
            await _update_version(connection, job, **_facts(chunked))

    async def record_progress(self, job: Job, indexed_count: int) -> None:
        """Shows how many chunks are indexed."""
        async with self._fenced(job) as connection:
            await _update_version(connection, job, indexed_chunk_count=indexed_count)

    async def finish(
        self, job: Job, state: DocumentState, *, reason: str = "", message: str = "", embedded_by: str = ""
    ) -> None:
        """Ends the job with an end state; READY makes its version the active one."""
        ended: dict[str, object] = {
            "state_reason": reason,
            "state_message": message,
            "process_time": sa.func.clock_timestamp(),
        }
        if state is DocumentState.READY:
            ended["active_version_id"] = job.version_id
        async with self._fenced(job) as connection:
            await _set_state(connection, job, state, **ended)
            await connection.execute(sa.delete(JOBS).where(held_by(job)))
            if embedded_by:
                await self._outbox.note(connection, await _describe_usage(connection, job, embedded_by))

    async def turn_into_delete(self, job: Job) -> None:
        """Hides the document and queues its removal in place of the job."""
        async with self._fenced(job) as connection:
            await _set_state(connection, job, DocumentState.DELETING)
            await connection.execute(sa.delete(JOBS).where(held_by(job)))
            await enqueue(connection, JobKind.DELETE, job.placement, job.trace_carrier)

    async def remove_document(self, job: Job) -> None:
        """Removes the document, everything under it and the job."""
        async with self._fenced(job) as connection:
            await connection.execute(sa.delete(DOCUMENTS).where(DOCUMENTS.c.document_id == job.document_id))
            await connection.execute(sa.delete(JOBS).where(held_by(job)))

    @asynccontextmanager
    async def _fenced(self, job: Job) -> AsyncIterator[AsyncConnection]:
        """Opens a transaction in which no other claim of the job can begin. Raises LeaseLost."""
        statement = sa.select(JOBS.c.job_id).where(held_by(job)).with_for_update()
        async with self._database.transaction(tenant_id=job.tenant_id) as connection:
            if (await connection.execute(statement)).one_or_none() is None:
                raise LeaseLost
            yield connection


async def _set_state(connection: AsyncConnection, job: Job, state: DocumentState, **values: object) -> None:
    statement = (
        sa.update(DOCUMENTS)
        .where(DOCUMENTS.c.document_id == job.document_id)
        .values(state=state.value, update_time=sa.func.clock_timestamp(), **values)
    )
    await connection.execute(statement)


async def _update_version(connection: AsyncConnection, job: Job, **values: object) -> None:
    await connection.execute(sa.update(VERSIONS).where(VERSIONS.c.version_id == job.version_id).values(**values))


async def _describe_usage(connection: AsyncConnection, job: Job, embedded_by: str) -> UsageEntry:
    """Returns what embedding a version's chunks took. Embedded anew, by whatever model, it counts as the same call."""
    tokens = sa.select(sa.func.coalesce(sa.func.sum(CHUNKS.c.token_count), 0)).where(
        CHUNKS.c.version_id == job.version_id
    )
    statement = sa.select(
        VERSIONS.c.user_id, VERSIONS.c.api_key_id, sa.func.clock_timestamp().label("now"), tokens.label("tokens")
    )
    row = (await connection.execute(statement.where(VERSIONS.c.version_id == job.version_id))).one()
    return UsageEntry(
        usage_id=job.version_id,
        tenant_id=job.tenant_id,
        user_id=row.user_id or NOBODY,
        kind="DOCUMENT",
        provider="embedding",
        model=embedded_by,
        input_tokens=int(row.tokens),
        output_tokens=0,
        end_time=row.now,
        api_key_id=row.api_key_id or "",
    )


def _facts(chunked: ChunkedText) -> dict[str, object]:
    return {
        "title": chunked.title,
        "language": chunked.language,
        "page_count": chunked.document.page_count,
        "chunk_count": len(chunked.chunks),
        "indexed_chunk_count": 0,
        "token_count": chunked.token_count,
        "character_count": len(chunked.document.text),
        "has_text": True,
    }


def _to_version(job: Job, row: sa.RowMapping) -> DocumentVersion:
    private = row["visibility"] == Visibility.PRIVATE.value
    return DocumentVersion(
        tenant_id=job.tenant_id,
        document_id=job.document_id,
        version_id=job.version_id,
        collection_id=row["collection_id"],
        private_to_user_id=row["owner_user_id"] if private else "",
        filename=row["filename"],
        content_type=ContentType(row["content_type"]),
    )
