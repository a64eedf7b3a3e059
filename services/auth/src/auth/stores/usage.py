"""Usage in PostgreSQL. Each transaction declares the tenant it is about."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, Select, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.billing.months import month_of
from auth.model.billing import Balance, Grouping, Reservation, UsageEntry, UsageKind, UsagePart, UsageQuery
from auth.stores.plans import is_tenant
from auth.stores.tables.billing import USAGE_BALANCES, USAGE_ENTRIES, USAGE_RESERVATIONS
from servicekit.database import Database

DAY = func.to_char(func.timezone("UTC", USAGE_ENTRIES.c.end_time), "YYYY-MM-DD").label("day")
COLUMNS: dict[Grouping, tuple[ColumnElement[Any], ...]] = {
    Grouping.DAY: (DAY,),
    Grouping.USER: (USAGE_ENTRIES.c.user_id,),
    Grouping.MODEL: (USAGE_ENTRIES.c.provider, USAGE_ENTRIES.c.model),
    Grouping.API_KEY: (USAGE_ENTRIES.c.api_key_id,),
    Grouping.KIND: (USAGE_ENTRIES.c.kind,),
}


def sum_of(column: ColumnElement[int]) -> ColumnElement[int]:
    """Returns a sum as a number; PostgreSQL's own is a numeric, and NULL of nothing."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


TOTALS = (
    func.count().label("calls"),
    sum_of(USAGE_ENTRIES.c.input_tokens).label("input_tokens"),
    sum_of(USAGE_ENTRIES.c.output_tokens).label("output_tokens"),
    sum_of(USAGE_ENTRIES.c.cached_tokens).label("cached_tokens"),
)


class PostgresUsageStore:
    """A UsageStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, reservation: Reservation, month: date, limit: int, now: datetime) -> Balance | None:
        """Sets tokens aside if the limit has room for them; None where it has not."""
        tenant_id = reservation.tenant_id
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            used = await lock_balance(connection, tenant_id, month)
            await forget_expired(connection, tenant_id, now)
            held = await sum_reserved(connection, tenant_id, but=reservation.usage_id)
            balance = Balance(used, held + reservation.tokens)
            is_over = limit and balance.used_tokens + balance.reserved_tokens > limit
            if is_over and reservation.tokens > await find_reserved(connection, reservation):
                return None
            await store_reservation(connection, reservation)
        return balance

    async def commit(self, tenant_id: str, entries: Sequence[UsageEntry]) -> int:
        """Counts entries, each usage_id once, and frees what was set aside for them."""
        months = sorted({month_of(entry.end_time) for entry in entries})
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            # Erased since: whoever reports it has nobody left to report it to.
            if not await is_tenant(connection, tenant_id):
                return 0
            # In one order for everyone, so that two commits at once wait for each other instead of blocking.
            for month in months:
                await lock_balance(connection, tenant_id, month)
            new = await insert_entries(connection, entries)
            ids = [entry.usage_id for entry in entries]
            await connection.execute(delete(USAGE_RESERVATIONS).where(USAGE_RESERVATIONS.c.usage_id.in_(ids)))
            spent: Counter[date] = Counter()
            for entry in (entry for entry in entries if entry.usage_id in new):
                spent[month_of(entry.end_time)] += entry.tokens
            for month, tokens in spent.items():
                await add_used(connection, tenant_id, month, tokens)
        return len(new)

    async def find_balance(self, tenant_id: str, month: date, now: datetime) -> Balance:
        """Returns what a tenant used in a month and has set aside now."""
        used = select(USAGE_BALANCES.c.used_tokens).where(USAGE_BALANCES.c.month == month)
        held = select(func.sum(USAGE_RESERVATIONS.c.tokens)).where(USAGE_RESERVATIONS.c.expire_time > now)
        query = select(used.scalar_subquery(), held.scalar_subquery())
        async with self._database.transaction(tenant_id=tenant_id) as connection:
            found = (await connection.execute(query)).one()
        return Balance(int(found[0] or 0), int(found[1] or 0))

    async def sum_up(self, query: UsageQuery, limit: int) -> Sequence[UsagePart]:
        """Returns the parts of a query, latest day first, then most tokens."""
        async with self._database.transaction(tenant_id=query.tenant_id) as connection:
            rows = (await connection.execute(build_query(query).limit(limit))).all()
        return [read_part(row) for row in rows]


async def lock_balance(connection: AsyncConnection, tenant_id: str, month: date) -> int:
    """Returns what a tenant has used in a month; whoever else asks so waits for the end of the transaction."""
    fresh = insert(USAGE_BALANCES).values(tenant_id=tenant_id, month=month, used_tokens=0)
    await connection.execute(fresh.on_conflict_do_nothing())
    query = select(USAGE_BALANCES.c.used_tokens).where(of_month(tenant_id, month)).with_for_update()
    return int((await connection.execute(query)).scalar_one())


async def forget_expired(connection: AsyncConnection, tenant_id: str, now: datetime) -> None:
    """Gives back what was set aside and never settled."""
    of_tenant = USAGE_RESERVATIONS.c.tenant_id == tenant_id
    await connection.execute(delete(USAGE_RESERVATIONS).where(of_tenant, USAGE_RESERVATIONS.c.expire_time <= now))


async def sum_reserved(connection: AsyncConnection, tenant_id: str, *, but: str) -> int:
    """Returns what is set aside for a tenant's other calls."""
    others = (USAGE_RESERVATIONS.c.tenant_id == tenant_id) & (USAGE_RESERVATIONS.c.usage_id != but)
    found = await connection.execute(select(func.sum(USAGE_RESERVATIONS.c.tokens)).where(others))
    return int(found.scalar_one() or 0)


async def find_reserved(connection: AsyncConnection, reservation: Reservation) -> int:
    """Returns what is set aside for the same call already."""
    query = select(USAGE_RESERVATIONS.c.tokens).where(of_call(reservation))
    return int((await connection.execute(query)).scalar_one_or_none() or 0)


async def store_reservation(connection: AsyncConnection, reservation: Reservation) -> None:
    """Sets so many tokens aside for a call, whatever was set aside before; none is the absence of a row."""
    if not reservation.tokens:
        await connection.execute(delete(USAGE_RESERVATIONS).where(of_call(reservation)))
        return
    statement = insert(USAGE_RESERVATIONS).values(**vars(reservation))
    changed = {"tokens": reservation.tokens, "expire_time": reservation.expire_time}
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "usage_id"], set_=changed))


def of_call(reservation: Reservation) -> ColumnElement[bool]:
    """Returns the condition for what is set aside for one call."""
    columns = USAGE_RESERVATIONS.c
    return (columns.tenant_id == reservation.tenant_id) & (columns.usage_id == reservation.usage_id)


async def insert_entries(connection: AsyncConnection, entries: Sequence[UsageEntry]) -> set[str]:
    """Returns the usage_ids that were not counted before."""
    rows = [{**vars(entry), "api_key_id": entry.api_key_id or None} for entry in entries]
    statement = insert(USAGE_ENTRIES).values(rows).on_conflict_do_nothing().returning(USAGE_ENTRIES.c.usage_id)
    return set((await connection.execute(statement)).scalars())


async def add_used(connection: AsyncConnection, tenant_id: str, month: date, tokens: int) -> None:
    """Adds to what a tenant has used in a month."""
    more = USAGE_BALANCES.update().where(of_month(tenant_id, month))
    await connection.execute(more.values(used_tokens=USAGE_BALANCES.c.used_tokens + tokens))


def of_month(tenant_id: str, month: date) -> ColumnElement[bool]:
    """Returns the condition for one balance."""
    return (USAGE_BALANCES.c.tenant_id == tenant_id) & (USAGE_BALANCES.c.month == month)


def build_query(query: UsageQuery) -> Select[Any]:
    """Returns the statement that sums usage up."""
    columns = [column for grouping in Grouping if grouping in query.group_by for column in COLUMNS[grouping]]
    entries = USAGE_ENTRIES.c
    conditions = [entries.end_time >= query.start_time, entries.end_time < query.end_time]
    if query.user_id:
        conditions.append(entries.user_id == query.user_id)
    if query.model:
        conditions.append(entries.model == query.model)
    tokens = sum_of(entries.input_tokens + entries.output_tokens)
    latest = (DAY.desc(),) if Grouping.DAY in query.group_by else ()
    return select(*columns, *TOTALS).where(*conditions).group_by(*columns).order_by(*latest, tokens.desc(), *columns)


def read_part(row: Row[Any]) -> UsagePart:
    """Returns a row's sum."""
    found = {name: value for name, value in row._mapping.items() if value is not None}  # noqa: SLF001 - its public name
    kind = found.pop("kind", None)
    return UsagePart(**{**found, "kind": UsageKind(kind) if kind else None})
