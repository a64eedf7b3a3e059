"""Canonical texts and chunks in PostgreSQL.

A text is kept in segments of SEGMENT_CHARACTERS code points. PostgreSQL finds
the n-th character of UTF-8 only by reading from the start, so one big value
would make every quote check pay for the whole book; a range here reads the one
or two segments that hold it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ingestion.model import Caller, TenantId, TextRange, VersionId
from ingestion.stores.collections import visible_to_user
from ingestion.stores.documents import ALIVE, SHOWN_VERSION
from ingestion.stores.tables import CHUNKS, COLLECTIONS, DOCUMENTS, ID, TEXT_SEGMENTS, VERSIONS
from ingestion.text import Chunk
from servicekit.database import Database

SEGMENT_CHARACTERS = 16_384
WANTED = (
    sa.column("document_id", ID),
    sa.column("version_id", ID),
    sa.column("first", sa.Integer),
    sa.column("past", sa.Integer),
)


def select_ranges() -> sa.Select[tuple[int, str]]:
    """Selects the parts of each range by its number, from 1, in the order of the text.

    Parameters: document_ids, version_ids, starts, ends (of one length) and user_id.
    """
    wanted = (
        sa.func.unnest(
            sa.bindparam("document_ids", type_=ARRAY(ID)),
            sa.bindparam("version_ids", type_=ARRAY(ID)),
            sa.bindparam("starts", type_=ARRAY(sa.Integer)),
            sa.bindparam("ends", type_=ARRAY(sa.Integer)),
        )
        .table_valued(*WANTED, with_ordinality="number")
        .render_derived(name="wanted")
    )
    number = TEXT_SEGMENTS.c.segment_number
    start = sa.func.greatest(wanted.c.first - number * SEGMENT_CHARACTERS, 0)
    end = sa.func.least(wanted.c.past - number * SEGMENT_CHARACTERS, SEGMENT_CHARACTERS)
    last = sa.func.greatest(wanted.c.first, wanted.c.past - 1, type_=sa.Integer)
    segments = sa.and_(
        TEXT_SEGMENTS.c.version_id == VERSIONS.c.version_id,
        number.between(wanted.c.first // SEGMENT_CHARACTERS, last // SEGMENT_CHARACTERS),
    )
    visible = sa.select(COLLECTIONS.c.collection_id).where(visible_to_user(sa.bindparam("user_id", type_=sa.Text)))
    return (
        sa.select(wanted.c.number, sa.func.substr(TEXT_SEGMENTS.c.text, start + 1, end - start).label("part"))
        .select_from(wanted)
        .join(DOCUMENTS, DOCUMENTS.c.document_id == wanted.c.document_id)
        .join(VERSIONS, sa.and_(VERSIONS.c.version_id == SHOWN_VERSION, VERSIONS.c.version_id == wanted.c.version_id))
        .join(TEXT_SEGMENTS, segments)
        .where(ALIVE, DOCUMENTS.c.collection_id.in_(visible), VERSIONS.c.character_count >= wanted.c.past)
        .order_by(wanted.c.number, number)
    )


# Made once: making it takes longer than running it.
SELECT_RANGES = select_ranges()


class PostgresTextStore:
    """A TextStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_range(self, tenant_id: TenantId, version_id: VersionId, start: int, end: int) -> str:
        """Returns characters [start, end) of a text, in code points."""
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            return await read_characters(connection, version_id, start, end)

    async def read_ranges(self, caller: Caller, ranges: Sequence[TextRange]) -> list[str | None]:
        """Returns what each range holds, with one statement; None for what the caller may not see or is not there."""
        values = {
            "document_ids": [each.document_id for each in ranges],
            "version_ids": [each.version_id for each in ranges],
            "starts": [each.start for each in ranges],
            "ends": [each.end for each in ranges],
            "user_id": caller.user_id,
        }
        async with self._database.transaction(tenant_id=caller.tenant_id) as connection:
            rows = (await connection.execute(SELECT_RANGES, values)).all()
        found: dict[int, str] = {}
        for row in rows:
            found[row.number] = found.get(row.number, "") + row.part
        return [found.get(number) for number in range(1, len(ranges) + 1)]

    async def list_chunks(self, tenant_id: TenantId, version_id: VersionId, first: int, limit: int) -> list[Chunk]:
        """Returns at most limit chunks from chunk number `first` on."""
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            return await read_chunks(connection, version_id, first, limit)


async def read_characters(connection: AsyncConnection, version_id: VersionId, start: int, end: int) -> str:
    """Returns characters [start, end) of a text, in code points."""
    first = start // SEGMENT_CHARACTERS
    statement = (
        sa.select(TEXT_SEGMENTS.c.text)
        .where(
            TEXT_SEGMENTS.c.version_id == version_id,
            TEXT_SEGMENTS.c.segment_number.between(first, max(start, end - 1) // SEGMENT_CHARACTERS),
        )
        .order_by(TEXT_SEGMENTS.c.segment_number)
    )
    segments = (await connection.execute(statement)).scalars().all()
    offset = first * SEGMENT_CHARACTERS
    return "".join(segments)[start - offset : end - offset]


async def read_chunks(connection: AsyncConnection, version_id: VersionId, first: int, limit: int) -> list[Chunk]:
    """Returns at most limit chunks from chunk number `first` on; their texts are cut from the canonical text."""
    statement = (
        sa.select(CHUNKS)
        .where(CHUNKS.c.version_id == version_id, CHUNKS.c.chunk_index >= first)
        .order_by(CHUNKS.c.chunk_index)
        .limit(limit)
    )
    rows = (await connection.execute(statement)).mappings().all()
    if not rows:
        return []
    start = min(row["start_offset"] for row in rows)
    text = await read_characters(connection, version_id, start, max(row["end_offset"] for row in rows))
    return [_to_chunk(row, text[row["start_offset"] - start : row["end_offset"] - start]) for row in rows]


async def replace_text(connection: AsyncConnection, tenant_id: TenantId, version_id: VersionId, text: str) -> None:
    """Stores a version's text in place of an earlier attempt's."""
    await connection.execute(sa.delete(TEXT_SEGMENTS).where(TEXT_SEGMENTS.c.version_id == version_id))
    rows = [
        {
            "version_id": version_id,
            "segment_number": start // SEGMENT_CHARACTERS,
            "tenant_id": tenant_id,
            "text": text[start : start + SEGMENT_CHARACTERS],
        }
        for start in range(0, len(text), SEGMENT_CHARACTERS)
    ]
    if rows:
        await connection.execute(sa.insert(TEXT_SEGMENTS), rows)


async def replace_chunks(
    connection: AsyncConnection, tenant_id: TenantId, version_id: VersionId, chunks: Sequence[Chunk]
) -> None:
    """Stores a version's chunks in place of an earlier attempt's."""
    await connection.execute(sa.delete(CHUNKS).where(CHUNKS.c.version_id == version_id))
    rows = [_chunk_values(tenant_id, version_id, chunk) for chunk in chunks]
    if rows:
        await connection.execute(sa.insert(CHUNKS), rows)


def _chunk_values(tenant_id: TenantId, version_id: VersionId, chunk: Chunk) -> dict[str, object]:
    return {
        "version_id": version_id,
        "chunk_index": chunk.chunk_index,
        "tenant_id": tenant_id,
        "start_offset": chunk.start_offset,
        "end_offset": chunk.end_offset,
        "page_start": chunk.page_start,
        "page_end": chunk.page_end,
        "token_count": chunk.token_count,
        "heading_path": list(chunk.heading_path),
        "page_break_offsets": list(chunk.page_break_offsets),
    }


def _to_chunk(row: sa.RowMapping, text: str) -> Chunk:
    return Chunk(
        chunk_index=row["chunk_index"],
        text=text,
        start_offset=row["start_offset"],
        end_offset=row["end_offset"],
        page_start=row["page_start"],
        page_end=row["page_end"],
        token_count=row["token_count"],
        heading_path=tuple(row["heading_path"]),
        page_break_offsets=tuple(row["page_break_offsets"]),
    )
