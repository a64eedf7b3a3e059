"""Keyset pages: stable while rows come and go, and as cheap on the last page as on the first."""

from typing import Any

import sqlalchemy as sa

from ingestion.ports import PageKey


def newest_first(statement: sa.Select[Any], id_column: sa.Column[Any], before: PageKey | None) -> sa.Select[Any]:
    """Orders by create_time and id, newest first, and starts after the row with the key `before`."""
    create_time = id_column.table.c.create_time
    ordered = statement.order_by(create_time.desc(), id_column.desc())
    if before is None:
        return ordered
    after = sa.tuple_(sa.literal(before[0], create_time.type), sa.literal(before[1], id_column.type))
    return ordered.where(sa.tuple_(create_time, id_column) < after)
