"""Which version of a document is visible, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, bindparam, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from retrieval.errors import DocumentDeleted, IndexUnavailable
from retrieval.model import (
    AbandonedVersion,
    DocumentId,
    DocumentVersion,
    ExpectedVersion,
    Standing,
    TenantId,
    VersionId,
)
from retrieval.stores.tables import documents, versions
from servicekit.database import Database

# Longer than any stream of chunks takes: a version that is being indexed is never swept.
PENDING_LIMIT = timedelta(days=1)
# Longer than any write takes: who still writes has seen the tombstone and removed its points.
BURIED_LIMIT = timedelta(hours=1)


class State(StrEnum):
    """Where a version stands. As long as it may have points it has a row, so orphaned points can be found."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"
    SWEEPING = "SWEEPING"


# Made once, as every search runs it: an array keeps it one statement for any number of versions.
VISIBLE = select(versions.c.version_id).where(
    versions.c.tenant_id == bindparam("tenant_id"),
    versions.c.version_id == func.any(bindparam("version_ids", type_=ARRAY(Uuid(as_uuid=False)))),
    versions.c.state == State.ACTIVE,
    versions.c.generation == bindparam("generation"),
)


class PostgresVersionRegistry:
    """A VersionRegistry. Every write locks the document's row first, so verdicts on one document queue up."""

    def __init__(self, database: Database, generation: str) -> None:
        """generation names the collection that this process indexes into and searches."""
        self._database = database
        self._generation = generation

    async def begin_version(self, version: DocumentVersion) -> None:
        """Records a version as pending; an active one stays active.

        Raises DocumentDeleted; IndexUnavailable while a sweep removes its points.
        """
        async with self._database.transaction(tenant_id=version.tenant_id) as connection:
            await _lock_living(connection, version.tenant_id, version.document_id)
            await _require_unclaimed(connection, version.tenant_id, version.document_id, version.version_id)
            row = insert(versions).values(
                tenant_id=version.tenant_id,
                document_id=version.document_id,
                version_id=version.version_id,
                state=State.PENDING,
                generation=self._generation,
            )
            await connection.execute(
                row.on_conflict_do_update(
                    index_elements=versions.primary_key.columns,
                    set_={"state": State.PENDING, "begin_time": func.now(), "generation": self._generation},
                    where=versions.c.state != State.ACTIVE,
                )
            )

    async def check_writable(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Raises DocumentDeleted if the document has its tombstone."""
        buried = select(documents.c.delete_time).where(
            documents.c.tenant_id == tenant_id, documents.c.document_id == document_id
        )
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            if (await connection.execute(buried)).scalar_one_or_none() is not None:
                raise DocumentDeleted

    async def activate_version(self, tenant_id: TenantId, document_id: DocumentId, version_id: VersionId) -> bool:
        """Flips visibility; returns whether the other versions' points may go.

        Raises DocumentDeleted; IndexUnavailable while a sweep removes its points.
        """
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            await _lock_living(connection, tenant_id, document_id)
            await _require_unclaimed(connection, tenant_id, document_id, version_id)
            await _retire_active(connection, tenant_id, document_id)
            await _set_active(connection, tenant_id, document_id, version_id, self._generation)
            return not await _is_overtaken(connection, tenant_id, document_id, version_id)

    async def forget_retired_versions(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Drops the records of retired versions, whose points are gone; a pending one may still get some."""
        gone = and_(_of_document(tenant_id, document_id), versions.c.state == State.RETIRED)
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            await connection.execute(delete(versions).where(gone))

    async def bury_document(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Sets the tombstone and retires the active version; also for a document whose chunks are yet to come."""
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            row = insert(documents).values(tenant_id=tenant_id, document_id=document_id, delete_time=func.now())
            await connection.execute(
                row.on_conflict_do_update(
                    index_elements=documents.primary_key.columns,
                    set_={"delete_time": func.coalesce(documents.c.delete_time, func.now())},
                )
            )
            await _retire_active(connection, tenant_id, document_id)

    async def find_abandoned(self, limit: int) -> Sequence[AbandonedVersion]:
        """Returns versions that are retired, pending for a day, or of a document buried for an hour.

        Those that a sweep claimed and did not finish are among them.
        """
        abandoned = or_(
            versions.c.state.in_((State.RETIRED, State.SWEEPING)),
            and_(versions.c.state == State.PENDING, versions.c.begin_time < func.now() - PENDING_LIMIT),
            documents.c.delete_time < func.now() - BURIED_LIMIT,
        )
        owned = and_(versions.c.tenant_id == documents.c.tenant_id, versions.c.document_id == documents.c.document_id)
        columns = (versions.c.tenant_id, versions.c.document_id, versions.c.version_id, versions.c.begin_time)
        found = select(*columns).join(documents, owned).where(abandoned).order_by(versions.c.begin_time).limit(limit)
        async with self._database.transaction(scope="sweep") as connection:
            return [AbandonedVersion(*row) for row in await connection.execute(found)]

    async def claim_abandoned(self, version: AbandonedVersion) -> bool:
        """Marks a version as being swept; False if it began anew or was activated since it was found."""
        unchanged = and_(
            _of_version(version.tenant_id, version.document_id, version.version_id),
            versions.c.begin_time == version.begin_time,
            versions.c.state != State.ACTIVE,
        )
        claimed = update(versions).where(unchanged).values(state=State.SWEEPING).returning(versions.c.version_id)
        async with self._database.transaction(tenant_id=version.tenant_id) as connection:
            await _lock(connection, version.tenant_id, version.document_id)
            return (await connection.execute(claimed)).first() is not None

    async def forget_abandoned(self, version: AbandonedVersion) -> None:
        """Drops the record of a version that is being swept."""
        swept = _of_version(version.tenant_id, version.document_id, version.version_id)
        async with self._database.transaction(tenant_id=version.tenant_id) as connection:
            await connection.execute(delete(versions).where(swept, versions.c.state == State.SWEEPING))

    async def describe(self, expected: Sequence[ExpectedVersion]) -> list[Standing]:
        """Returns how versions of any tenants stand, in their order, in two queries."""
        keys = [(version.tenant_id, version.document_id, version.version_id) for version in expected]
        key = tuple_(versions.c.tenant_id, versions.c.document_id, versions.c.version_id)
        rows = select(*key.clauses, versions.c.state, versions.c.generation).where(key.in_(keys))
        document = tuple_(documents.c.tenant_id, documents.c.document_id)
        buried = select(*document.clauses).where(
            document.in_([row[:2] for row in keys]), documents.c.delete_time.is_not(None)
        )
        async with self._database.transaction(scope="sweep") as connection:
            found = {tuple(row[:3]): (row.state, row.generation) for row in await connection.execute(rows)}
            gone = {tuple(row) for row in await connection.execute(buried)}
        return [Standing.BURIED if row[:2] in gone else self._judge(found.get(row)) for row in keys]

    def _judge(self, row: tuple[str, str | None] | None) -> Standing:
        if row is None or row[0] != State.ACTIVE:
            return Standing.INVISIBLE
        return Standing.VISIBLE if row[1] == self._generation else Standing.OTHER_GENERATION

    async def find_generations(self) -> frozenset[str] | None:
        """Returns every generation that a row names; None if a row names none."""
        async with self._database.transaction(scope="sweep") as connection:
            found = set((await connection.execute(select(versions.c.generation).distinct())).scalars())
        return None if None in found else frozenset(found)

    async def find_visible(self, tenant_id: TenantId, version_ids: Sequence[VersionId]) -> frozenset[str]:
        """Returns those of the versions that are active in the present generation, in one query."""
        if not version_ids:
            return frozenset()
        values = {"tenant_id": tenant_id, "generation": self._generation, "version_ids": list(version_ids)}
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            return frozenset((await connection.execute(VISIBLE, values)).scalars())


def _of_document(tenant_id: TenantId, document_id: DocumentId) -> ColumnElement[bool]:
    return and_(versions.c.tenant_id == tenant_id, versions.c.document_id == document_id)


def _of_version(tenant_id: TenantId, document_id: DocumentId, version_id: VersionId) -> ColumnElement[bool]:
    return and_(_of_document(tenant_id, document_id), versions.c.version_id == version_id)


async def _lock(connection: AsyncConnection, tenant_id: TenantId, document_id: DocumentId) -> datetime | None:
    """Returns when the document was buried."""
    row = insert(documents).values(tenant_id=tenant_id, document_id=document_id)
    # An update that changes nothing locks the row and returns it, whether it was there before or not.
    locked = row.on_conflict_do_update(
        index_elements=documents.primary_key.columns, set_={"document_id": row.excluded.document_id}
    )
    delete_time: datetime | None = (await connection.execute(locked.returning(documents.c.delete_time))).scalar_one()
    return delete_time


async def _lock_living(connection: AsyncConnection, tenant_id: TenantId, document_id: DocumentId) -> None:
    if await _lock(connection, tenant_id, document_id) is not None:
        raise DocumentDeleted


async def _require_unclaimed(
    connection: AsyncConnection, tenant_id: TenantId, document_id: DocumentId, version_id: VersionId
) -> None:
    """Points that are written or shown now would be removed by the sweep that has claimed them."""
    claimed = exists().where(_of_version(tenant_id, document_id, version_id), versions.c.state == State.SWEEPING)
    if (await connection.execute(select(claimed))).scalar_one():
        raise IndexUnavailable


async def _retire_active(connection: AsyncConnection, tenant_id: TenantId, document_id: DocumentId) -> None:
    active = and_(_of_document(tenant_id, document_id), versions.c.state == State.ACTIVE)
    await connection.execute(update(versions).where(active).values(state=State.RETIRED))


async def _set_active(
    connection: AsyncConnection, tenant_id: TenantId, document_id: DocumentId, version_id: VersionId, generation: str
) -> None:
    row = insert(versions).values(
        tenant_id=tenant_id,
        document_id=document_id,
        version_id=version_id,
        state=State.ACTIVE,
        activate_time=func.now(),
        generation=generation,
    )
    activated = func.coalesce(versions.c.activate_time, func.now())
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=versions.primary_key.columns,
            set_={"state": State.ACTIVE, "activate_time": activated, "generation": generation},
        )
    )


async def _is_overtaken(
    connection: AsyncConnection, tenant_id: TenantId, document_id: DocumentId, version_id: VersionId
) -> bool:
    """Whether a version that began after this one is still being indexed."""
    document = _of_document(tenant_id, document_id)
    began = select(versions.c.begin_time).where(document, versions.c.version_id == version_id).scalar_subquery()
    later = exists().where(document, versions.c.state == State.PENDING, versions.c.begin_time > began)
    return bool((await connection.execute(select(later))).scalar_one())
