"""All documents in PostgreSQL, tenant by tenant, for whoever compares them with the index."""

from typing import Any

import sqlalchemy as sa

from ingestion.model import DocumentId, DocumentState, JobKind, Place, Placement, Standing, TenantId
from ingestion.stores.documents import SHOWN_VERSION
from ingestion.stores.jobs import enqueue
from ingestion.stores.tables import DOCUMENTS, JOBS, VERSIONS
from servicekit.database import Database

LAST_ID = DocumentId("ffffffff-ffff-ffff-ffff-ffffffffffff")

BEGIN_ROUND = sa.text("""
UPDATE ingestion.reconciler SET lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
WHERE lease_until <= clock_timestamp()
RETURNING tenant_id::text, document_id::text
""")
KEEP_PLACE = sa.text("""
UPDATE ingestion.reconciler SET
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds),
    tenant_id = cast(:tenant_id AS uuid),
    document_id = cast(:document_id AS uuid)
""")
# Every tenant that ever uploaded anything has had its turn, or waits for it.
NEXT_TENANT = sa.text("""
SELECT tenant_id::text FROM ingestion.turns
WHERE tenant_id >= cast(:tenant_id AS uuid) AND (tenant_id > cast(:tenant_id AS uuid) OR NOT :is_done)
ORDER BY tenant_id LIMIT 1
""")
HAS_JOB = sa.exists().where(JOBS.c.document_id == DOCUMENTS.c.document_id)


class PostgresStandingStore:
    """A StandingStore: only the walk itself looks across tenants, documents are read under their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_round(self, lease_seconds: float) -> Place | None:
        """Takes the walk over all documents and returns where it stopped; None while another process has it."""
        async with self._database.transaction(scope="jobs") as connection:
            row = (await connection.execute(BEGIN_ROUND, {"lease_seconds": lease_seconds})).one_or_none()
        return Place(row.tenant_id, row.document_id) if row else None

    async def keep_place(self, place: Place, lease_seconds: float) -> None:
        """Keeps where the walk is, and the walk for that long; 0 lets it go."""
        values = {"tenant_id": place.tenant_id, "document_id": place.document_id, "lease_seconds": lease_seconds}
        async with self._database.transaction(scope="jobs") as connection:
            await connection.execute(KEEP_PLACE, values)

    async def read_page(self, after: Place, limit: int) -> tuple[list[Standing], Place | None]:
        """Returns at most limit documents of one tenant and the place behind them; None if all tenants are done."""
        tenant_id = await self._next_tenant(after)
        if tenant_id is None:
            return [], None
        statement = _standings().order_by(DOCUMENTS.c.document_id).limit(limit)
        if tenant_id == after.tenant_id:
            statement = statement.where(DOCUMENTS.c.document_id > after.document_id)
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            rows = (await connection.execute(statement)).mappings().all()
        page = [_to_standing(row) for row in rows]
        return page, Place(tenant_id, page[-1].document_id if len(page) == limit else LAST_ID)

    async def change(self, standing: Standing, state: DocumentState, job: JobKind | None) -> bool:
        """Gives the document a state, and a job if one is named; False if it does not stand so any more."""
        is_shown = SHOWN_VERSION == standing.version_id  # noqa: SIM300 - a column, not a constant
        update = (
            sa.update(DOCUMENTS)
            .where(DOCUMENTS.c.document_id == standing.document_id, is_shown, ~HAS_JOB)
            .where(DOCUMENTS.c.state == standing.state.value)
            .values(state=state.value, state_reason="", state_message="", update_time=sa.func.clock_timestamp())
        )
        of_version = VERSIONS.c.version_id == standing.version_id
        placement = Placement(standing.tenant_id, standing.document_id, standing.version_id)
        async with self._database.transaction(tenant_id=standing.tenant_id) as connection:
            if (await connection.execute(update)).rowcount == 0:
                return False
            if job is not None:
                await connection.execute(sa.update(VERSIONS).where(of_version).values(indexed_chunk_count=0))
                await enqueue(connection, job, placement, {})
            return True

    async def _next_tenant(self, after: Place) -> TenantId | None:
        values = {"tenant_id": after.tenant_id, "is_done": after.document_id == LAST_ID}
        async with self._database.transaction(scope="jobs") as connection:
            return (await connection.execute(NEXT_TENANT, values)).scalar_one_or_none()


def _standings() -> sa.Select[Any]:
    joined = sa.join(DOCUMENTS, VERSIONS, VERSIONS.c.version_id == SHOWN_VERSION)
    return sa.select(
        DOCUMENTS.c.tenant_id,
        DOCUMENTS.c.document_id,
        DOCUMENTS.c.state,
        VERSIONS.c.version_id,
        VERSIONS.c.chunk_count,
        DOCUMENTS.c.active_version_id.is_not(None).label("is_active"),
        HAS_JOB.label("has_job"),
    ).select_from(joined)


def _to_standing(row: sa.RowMapping) -> Standing:
    return Standing(
        tenant_id=row["tenant_id"],
        document_id=row["document_id"],
        version_id=row["version_id"],
        state=DocumentState(row["state"]),
        chunk_count=row["chunk_count"],
        is_active=row["is_active"],
        has_job=row["has_job"],
    )
