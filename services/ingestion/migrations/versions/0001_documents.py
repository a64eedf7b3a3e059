"""Collections, documents, versions, texts, chunks and jobs."""

from alembic import op

from servicekit.migrations import enable_row_security

revision = "0001"
down_revision = None

SCHEMA = "ingestion"
OF_TENANT = "tenant_id = nullif(current_setting('docuchat.tenant_id', true), '')::uuid"
# A worker looks for work of every tenant, and sees nothing but the queue while it does.
OF_TENANT_OR_QUEUE = f"({OF_TENANT}) OR coalesce(current_setting('docuchat.scope', true), '') = 'jobs'"

COLLECTIONS = """
CREATE TABLE ingestion.collections (
    collection_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    owner_user_id text NOT NULL,
    display_name text NOT NULL,
    visibility text NOT NULL CHECK (visibility IN ('PRIVATE', 'TENANT')),
    is_default boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX collections_default ON ingestion.collections (tenant_id, owner_user_id) WHERE is_default;
CREATE UNIQUE INDEX collections_name ON ingestion.collections (tenant_id, owner_user_id, display_name)
    WHERE NOT is_default;
CREATE INDEX collections_newest ON ingestion.collections (tenant_id, create_time DESC, collection_id DESC);
"""

DOCUMENTS = """
CREATE TABLE ingestion.documents (
    document_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    collection_id uuid NOT NULL REFERENCES ingestion.collections,
    filename text NOT NULL,
    state text NOT NULL,
    state_reason text NOT NULL DEFAULT '',
    state_message text NOT NULL DEFAULT '',
    version_id uuid NOT NULL,
    active_version_id uuid,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    process_time timestamptz
);
CREATE INDEX documents_newest ON ingestion.documents (tenant_id, create_time DESC, document_id DESC);
CREATE INDEX documents_collection ON ingestion.documents (collection_id);
CREATE TABLE ingestion.versions (
    version_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    document_id uuid NOT NULL REFERENCES ingestion.documents ON DELETE CASCADE,
    content_type text NOT NULL,
    size_bytes integer NOT NULL,
    sha256 text NOT NULL,
    title text NOT NULL DEFAULT '',
    language text NOT NULL DEFAULT '',
    page_count integer NOT NULL DEFAULT 0,
    chunk_count integer NOT NULL DEFAULT 0,
    indexed_chunk_count integer NOT NULL DEFAULT 0,
    token_count integer NOT NULL DEFAULT 0,
    character_count integer NOT NULL DEFAULT 0,
    has_text boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX versions_document ON ingestion.versions (document_id);
"""

TEXTS = """
CREATE TABLE ingestion.text_segments (
    version_id uuid NOT NULL REFERENCES ingestion.versions ON DELETE CASCADE,
    segment_number integer NOT NULL,
    tenant_id uuid NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (version_id, segment_number)
);
CREATE TABLE ingestion.chunks (
    version_id uuid NOT NULL REFERENCES ingestion.versions ON DELETE CASCADE,
    chunk_index integer NOT NULL,
    tenant_id uuid NOT NULL,
    start_offset integer NOT NULL,
    end_offset integer NOT NULL,
    page_start integer NOT NULL,
    page_end integer NOT NULL,
    token_count integer NOT NULL,
    heading_path text[] NOT NULL,
    page_break_offsets integer[] NOT NULL,
    PRIMARY KEY (version_id, chunk_index)
);
"""

JOBS = """
CREATE TABLE ingestion.jobs (
    job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('PROCESS', 'DELETE')),
    document_id uuid NOT NULL,
    version_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'QUEUED' CHECK (state IN ('QUEUED', 'RUNNING')),
    attempts integer NOT NULL DEFAULT 0,
    run_after timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    lost_leases integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    trace_carrier jsonb NOT NULL DEFAULT '{}',
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- One column says when a job may be taken: a queued one when it is due, a running one when its lease is over.
CREATE INDEX jobs_due ON ingestion.jobs (tenant_id, (coalesce(lease_until, run_after)), job_id);
CREATE INDEX jobs_document ON ingestion.jobs (document_id);
CREATE TABLE ingestion.turns (
    tenant_id uuid PRIMARY KEY,
    served_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    for statements in (COLLECTIONS, DOCUMENTS, TEXTS, JOBS):
        for statement in filter(str.strip, statements.split(";\n")):
            op.execute(statement)
    for table in ("collections", "documents", "versions", "text_segments", "chunks"):
        enable_row_security(op, SCHEMA, table, OF_TENANT)
    for table in ("jobs", "turns"):
        enable_row_security(op, SCHEMA, table, OF_TENANT_OR_QUEUE)


def downgrade() -> None:
    for table in ("turns", "jobs", "chunks", "text_segments", "versions", "documents", "collections"):
        op.execute(f"DROP TABLE {SCHEMA}.{table}")
