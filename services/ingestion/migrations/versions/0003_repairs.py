"""What outages have cost a job, deletes first, living workers, and how far the reconciler has come."""

from alembic import op

from servicekit.migrations import enable_row_security

revision = "0003"
down_revision = "0002"

SCHEMA = "ingestion"
OF_QUEUE = "coalesce(current_setting('docuchat.scope', true), '') = 'jobs'"
RANK = "(CASE kind WHEN 'DELETE' THEN 0 WHEN 'PROCESS' THEN 1 ELSE 2 END)"
DUE = "(coalesce(lease_until, run_after))"

UPGRADE = f"""
ALTER TABLE ingestion.jobs ADD COLUMN waited_seconds double precision NOT NULL DEFAULT 0;
ALTER TABLE ingestion.jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE ingestion.jobs ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('DELETE', 'PROCESS', 'INDEX'));
CREATE INDEX jobs_in_order ON ingestion.jobs (tenant_id, {RANK}, {DUE}, job_id);
CREATE INDEX jobs_oldest ON ingestion.jobs ({DUE});
CREATE INDEX jobs_deletes ON ingestion.jobs (tenant_id, {DUE}) WHERE kind = 'DELETE';
CREATE INDEX documents_walk ON ingestion.documents (tenant_id, document_id);
CREATE TABLE ingestion.workers (
    name text PRIMARY KEY,
    beat_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE ingestion.reconciler (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    document_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);
INSERT INTO ingestion.reconciler DEFAULT VALUES
"""  # noqa: S608 - constants of this file

DOWNGRADE = """
DROP TABLE ingestion.reconciler;
DROP TABLE ingestion.workers;
DROP INDEX ingestion.documents_walk;
DROP INDEX ingestion.jobs_deletes;
DROP INDEX ingestion.jobs_oldest;
DROP INDEX ingestion.jobs_in_order;
DELETE FROM ingestion.jobs WHERE kind = 'INDEX';
ALTER TABLE ingestion.jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE ingestion.jobs ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('DELETE', 'PROCESS'));
ALTER TABLE ingestion.jobs DROP COLUMN waited_seconds
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)
    for table in ("workers", "reconciler"):
        enable_row_security(op, SCHEMA, table, OF_QUEUE)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
