"""The queue of jobs in PostgreSQL: leases with a fence number, taken turn by turn between tenants."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ingestion.model import DocumentId, Job, JobKind, Placement, TenantId, VersionId
from ingestion.stores.tables import JOBS
from ingestion.stores.workers import FORGET
from servicekit.database import Database

# Finding the next tenant by index instead of reading 10,000 jobs of one: a "loose index scan".
# Whoever was served longest ago comes first, so one tenant's pile delays nobody else.
TENANTS_IN_TURN = sa.text("""
WITH RECURSIVE waiting (tenant_id) AS (
    (SELECT tenant_id FROM ingestion.jobs ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.tenant_id FROM ingestion.jobs j WHERE j.tenant_id > w.tenant_id ORDER BY j.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL
)
SELECT w.tenant_id::text FROM waiting w LEFT JOIN ingestion.turns t USING (tenant_id)
WHERE EXISTS (
    SELECT FROM ingestion.jobs j
    WHERE j.tenant_id = w.tenant_id AND coalesce(j.lease_until, j.run_after) <= now()
)
ORDER BY t.served_at NULLS FIRST, w.tenant_id
LIMIT 100
""")

# Deletes are short, so chance is fair enough between tenants, and their turns stay what processing goes by.
TENANTS_WITH_DELETES = sa.text("""
SELECT tenant_id::text FROM ingestion.jobs
WHERE kind = 'DELETE' AND coalesce(lease_until, run_after) <= now()
GROUP BY tenant_id ORDER BY random() LIMIT 100
""")

# SKIP LOCKED: two workers that look at once take two jobs, and neither waits.
CLAIM = """
UPDATE ingestion.jobs SET
    lost_leases = lost_leases + (state = 'RUNNING')::int,
    state = 'RUNNING',
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds),
    holder = :holder,
    fence = fence + 1
WHERE job_id = (
    SELECT job_id FROM ingestion.jobs
    WHERE tenant_id = cast(:tenant_id AS uuid) AND coalesce(lease_until, run_after) <= now() AND {wanted}
    ORDER BY CASE kind WHEN 'DELETE' THEN 0 WHEN 'PROCESS' THEN 1 ELSE 2 END, coalesce(lease_until, run_after), job_id
    LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING *
"""
CLAIM_ANY = sa.text(CLAIM.format(wanted="true"))
CLAIM_DELETE = sa.text(CLAIM.format(wanted="kind = 'DELETE'"))

TAKE_TURN = sa.text("""
INSERT INTO ingestion.turns (tenant_id, served_at) VALUES (cast(:tenant_id AS uuid), clock_timestamp())
ON CONFLICT (tenant_id) DO UPDATE SET served_at = excluded.served_at
""")

# Not more than what the end of the lease does: the next claim raises the fence and counts a lost lease.
END_LEASES = sa.text("""
UPDATE ingestion.jobs SET lease_until = clock_timestamp()
WHERE state = 'RUNNING' AND lease_until > clock_timestamp() AND holder = ANY(:holders)
""")


class PostgresJobQueue:
    """A JobQueue whose claims carry a worker's name.

    Within a tenant deletes come first and indexing once more comes last; with
    `deletes_only` nothing else is claimed. Only claiming, and ending the leases
    of the dead, look across tenants; everything else runs under the job's own.
    """

    def __init__(self, database: Database, holder: str = "", *, deletes_only: bool = False) -> None:
        self._database = database
        self._holder = holder
        self._deletes_only = deletes_only

    async def claim(self, lease_seconds: float) -> Job | None:
        """Takes the next due job, turn by turn between tenants."""
        tenants, claim = (TENANTS_WITH_DELETES, CLAIM_DELETE) if self._deletes_only else (TENANTS_IN_TURN, CLAIM_ANY)
        async with self._database.transaction(scope="jobs") as connection:
            for tenant_id in (await connection.execute(tenants)).scalars().all():
                values = {"tenant_id": tenant_id, "lease_seconds": lease_seconds, "holder": self._holder}
                row = (await connection.execute(claim, values)).mappings().one_or_none()
                if row is not None:
                    if not self._deletes_only:
                        await connection.execute(TAKE_TURN, {"tenant_id": tenant_id})
                    return _to_job(row)
        return None

    async def end_leases(self, holders: Sequence[str]) -> int:
        """Forgets workers that are certainly dead and frees their jobs; returns how many those were."""
        async with self._database.transaction(scope="jobs") as connection:
            await connection.execute(FORGET, {"names": list(holders)})
            return (await connection.execute(END_LEASES, {"holders": list(holders)})).rowcount

    async def renew(self, job: Job, lease_seconds: float) -> bool:
        """Extends the lease; False if the claim is no longer the job's newest."""
        return await self._change(job, lease_until=_from_now(lease_seconds))

    async def release(self, job: Job, *, delay_seconds: float, error: str) -> bool:
        """Puts the job back, due after the delay. False if the claim is no longer the job's newest."""
        return await self._change(
            job,
            state="QUEUED",
            lease_until=None,
            run_after=_from_now(delay_seconds),
            attempts=job.attempts,
            waited_seconds=job.waited_seconds,
            last_error=error,
        )

    async def _change(self, job: Job, **values: object) -> bool:
        statement = sa.update(JOBS).where(held_by(job)).values(**values)
        async with self._database.transaction(tenant_id=job.tenant_id) as connection:
            return (await connection.execute(statement)).rowcount == 1


async def enqueue(connection: AsyncConnection, kind: JobKind, placement: Placement, carrier: Mapping[str, str]) -> None:
    """Adds a job about a version, due now."""
    values = {
        "tenant_id": placement.tenant_id,
        "kind": kind.value,
        "document_id": placement.document_id,
        "version_id": placement.version_id,
        "trace_carrier": dict(carrier),
    }
    await connection.execute(sa.insert(JOBS).values(values))


def held_by(job: Job) -> sa.ColumnElement[bool]:
    """Matches the job's row as long as this claim is its newest."""
    return sa.and_(JOBS.c.job_id == job.job_id, JOBS.c.fence == job.fence, JOBS.c.state == "RUNNING")


def _from_now(seconds: float) -> sa.ColumnElement[object]:
    return sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _to_job(row: sa.RowMapping) -> Job:
    return Job(
        job_id=row["job_id"],
        tenant_id=TenantId(str(row["tenant_id"])),
        kind=JobKind(row["kind"]),
        document_id=DocumentId(str(row["document_id"])),
        version_id=VersionId(str(row["version_id"])),
        attempts=row["attempts"],
        lost_leases=row["lost_leases"],
        waited_seconds=row["waited_seconds"],
        fence=row["fence"],
        trace_carrier=row["trace_carrier"],
    )
