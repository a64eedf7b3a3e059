"""The tables of schema `auth`, as the migrations make them; a file for each flow's."""

from sqlalchemy import DateTime, MetaData, Uuid, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

METADATA = MetaData(schema="auth")
TIME = DateTime(timezone=True)
# The model keeps ids as text, as the protos do.
ID = Uuid(as_uuid=False)


async def declare(connection: AsyncConnection, **settings: str) -> None:
    """Declares what a transaction turns out to be about as well; the last value of a setting is the one that counts."""
    for name, value in settings.items():
        await connection.execute(select(func.set_config(f"docuchat.{name}", value, True)))  # noqa: FBT003 - SQL's
