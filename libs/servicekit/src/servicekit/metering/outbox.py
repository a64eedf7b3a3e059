"""What is still to be reported: written with what it reports, so that a crash between loses and invents nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from servicekit.database import Database
from servicekit.metering.model import UsageEntry
from servicekit.migrations import enable_row_security

BATCH_ENTRIES = 500
TABLE = "usage_reports"
SCOPE = "usage"
WALL = f"""tenant_id = nullif(current_setting('docuchat.tenant_id', true), '')::uuid
    OR coalesce(current_setting('docuchat.scope', true), '') = '{SCOPE}'"""


class Meter(Protocol):
    """Who counts."""

    async def commit(self, entries: Sequence[UsageEntry]) -> None:
        """Counts calls that have ended, each once. Raises AppError."""
        ...


class UsageOutbox:
    """The reports of one service, in its own schema. Several processes may send at once."""

    def __init__(self, schema: str, database: Database) -> None:
        self._database = database
        self._table = describe_outbox(schema)

    async def note(self, connection: AsyncConnection, entry: UsageEntry) -> None:
        """Writes a report in the transaction of what it reports, which declares the entry's tenant."""
        values = {"tenant_id": entry.tenant_id, "usage_id": entry.usage_id, "entry": write_entry(entry)}
        await connection.execute(insert(self._table).values(values).on_conflict_do_nothing())

    async def send(self, meter: Meter) -> None:
        """Reports what waits, batch by batch, and forgets it once it is counted. Raises AppError."""
        while await self._send_batch(meter) == BATCH_ENTRIES:
            pass

    async def _send_batch(self, meter: Meter) -> int:
        columns = self._table.c
        batch = sa.select(columns.tenant_id, columns.usage_id, columns.entry).limit(BATCH_ENTRIES)
        async with self._database.transaction(scope=SCOPE) as connection:
            rows = (await connection.execute(batch.with_for_update(skip_locked=True))).all()
            if not rows:
                return 0
            await meter.commit([read_entry(row.entry) for row in rows])
            sent = sa.tuple_(columns.tenant_id, columns.usage_id).in_([(row.tenant_id, row.usage_id) for row in rows])
            await connection.execute(sa.delete(self._table).where(sent))
        return len(rows)


def describe_outbox(schema: str) -> sa.Table:
    """Returns the table of a schema's outbox; `entry` holds what write_entry returns."""
    return sa.Table(
        TABLE,
        sa.MetaData(schema=schema),
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("usage_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("entry", JSONB),
    )


def create_outbox(op: Operations, schema: str) -> None:
    """Creates the table of a schema's outbox, in a migration."""
    op.execute(f"""CREATE TABLE {schema}.{TABLE} (
        tenant_id uuid NOT NULL,
        usage_id uuid NOT NULL,
        entry jsonb NOT NULL,
        PRIMARY KEY (tenant_id, usage_id)
    )""")
    enable_row_security(op, schema, TABLE, WALL)


def write_entry(entry: UsageEntry) -> dict[str, Any]:
    """Returns an entry as JSON holds it."""
    return {**vars(entry), "end_time": entry.end_time.isoformat()}


def read_entry(values: dict[str, Any]) -> UsageEntry:
    """Returns the entry that JSON holds."""
    return UsageEntry(**{**values, "end_time": datetime.fromisoformat(values["end_time"])})
