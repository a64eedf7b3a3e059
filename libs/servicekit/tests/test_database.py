import asyncio
import contextlib
import random
from asyncio import selector_events
from datetime import datetime, timedelta, timezone

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from servicekit.database import Database, Lock, UnfitValue, quote
from servicekit.errors import Code, DependencyUnavailable, StorageFull
from servicekit.provision import provision_service

TABLE = """
CREATE TABLE toy.note (tenant_id text, body text);
ALTER TABLE toy.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE toy.note FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON toy.note USING (tenant_id = nullif(current_setting('docuchat.tenant_id', true), ''));
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def database(postgres_templates):
    await postgres_templates._execute("CREATE DATABASE toy")
    await provision_service(postgres_templates._dsn("toy"), "toy", "test-only", "test-only")
    await provision_service(postgres_templates._dsn("toy"), "toy", "test-only", "test-only")
    owner = await asyncpg.connect(postgres_templates._dsn("toy"), user="docuchat_toy_owner")
    await owner.execute(TABLE)
    await owner.close()
    database = Database.connect(postgres_templates._url("docuchat_toy", "toy"), name="test", pool_size=5)
    yield database
    await database.close()
    await postgres_templates._execute("DROP DATABASE toy WITH (FORCE)")


async def count(database, lock=None, **settings):
    async with database.transaction(lock, **settings) as connection:
        return (await connection.execute(text("SELECT count(*) FROM toy.note"))).scalar_one()


async def write(database, tenant, body="b"):
    async with database.transaction(tenant_id=tenant) as connection:
        await connection.execute(text("INSERT INTO toy.note VALUES (:t, :b)"), {"t": tenant, "b": body})


async def test_a_transaction_sees_its_own_tenant_only(database):
    await write(database, "a")
    assert [await count(database, tenant_id="a"), await count(database, tenant_id="b"), await count(database)] == [
        1,
        0,
        0,
    ]


async def test_a_row_of_another_tenant_cannot_be_written(database):
    async with database.transaction(tenant_id="a") as connection:
        with pytest.raises(ProgrammingError, match="row-level security"):
            await connection.execute(text("INSERT INTO toy.note VALUES ('b', 'x')"))


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT CAST(:value AS timestamptz)", datetime.max.replace(tzinfo=timezone(timedelta(hours=-23)))),
        ("SELECT CAST(:value AS int4)", 2**31),
        ("SELECT CAST(:value AS uuid)", "canary"),
        ("SELECT CAST(:value AS text)", "canary\0"),
    ],
    ids=["date", "number", "uuid", "NUL"],
)
async def test_a_value_that_postgresql_refuses_is_the_callers_fault_and_not_quoted(database, capsys, query, value):
    with pytest.raises(UnfitValue) as caught:
        async with database.transaction() as connection:
            await connection.execute(text(query), {"value": value})
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert "canary" not in caught.value.message + capsys.readouterr().err


async def test_two_thousand_interleaved_calls_with_a_fifth_cancelled_see_no_foreign_row(database):
    for tenant in ("a", "b", "c", "d"):
        await write(database, tenant, tenant)

    async def read(tenant):
        async with database.transaction(tenant_id=tenant) as connection:
            rows = (await connection.execute(text("SELECT body FROM toy.note"))).scalars().all()
            assert rows == [tenant]
            return len(rows)

    async def visit(number):
        if number % 5 == 0:
            task = asyncio.ensure_future(read("abcd"[number % 4]))
            for _ in range(number // 5 % 12):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return None
        return await read("abcd"[number % 4])

    for start in range(0, 2000, 200):
        results = await asyncio.gather(*(visit(number) for number in range(start, start + 200)))
        assert results.count(1) == 160


async def test_an_unreachable_server_is_told_as_such():
    database = Database.connect("postgresql+asyncpg://u:p@127.0.0.1:9/x", name="test")
    with pytest.raises(DependencyUnavailable):
        await database.ping()
    await database.close()


async def terminate_itself(database):
    async with database.transaction() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        await connection.execute(text("SELECT 1"))


async def test_a_terminated_connection_is_told_as_such_and_the_next_call_works(database):
    with pytest.raises(DependencyUnavailable):
        await terminate_itself(database)
    assert (await database.ping()).startswith("18")


async def test_a_pool_without_a_free_connection_is_told_as_such(postgres_templates, database, monkeypatch):
    monkeypatch.setattr("servicekit.database.POOL_TIMEOUT_SECONDS", 0.2)
    small = Database.connect(postgres_templates._url("docuchat_toy", "toy"), name="test", pool_size=1)
    async with small.transaction():
        with pytest.raises(DependencyUnavailable):
            await small.ping()
    await small.close()


RESOURCES = {
    "disk": ("53100", StorageFull),
    "memory": ("53200", DependencyUnavailable),
    "connections": ("53300", DependencyUnavailable),
}


@pytest.mark.parametrize(("sqlstate", "error"), RESOURCES.values(), ids=RESOURCES)
async def test_what_postgresql_lacks_is_told_as_such_and_reads_go_on(database, sqlstate, error):
    with pytest.raises(error) as caught:
        async with database.transaction() as connection:
            await connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"))
    assert "postgresql" in caught.value.metadata.values()
    assert await count(database) == 0


async def test_a_server_without_a_connection_left_is_told_as_such(postgres_templates, database):
    await postgres_templates._execute("ALTER DATABASE toy CONNECTION LIMIT 1")
    others = [
        Database.connect(postgres_templates._url("docuchat_toy", "toy"), name="test", pool_size=1) for _ in range(2)
    ]
    try:
        async with others[0].transaction() as connection:
            await connection.execute(text("SELECT 1"))
            with pytest.raises(DependencyUnavailable):
                await others[1].ping()
    finally:
        for other in others:
            await other.close()


async def count_left_open(postgres_templates):
    admin = await asyncpg.connect(postgres_templates._dsn("toy"))
    try:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND state LIKE 'idle in trans%'"
        return await admin.fetchval(query)
    finally:
        await admin.close()


@pytest.mark.parametrize("lock", [None, Lock("a lock's name")])
async def test_a_transaction_of_one_query_takes_three_round_trips(database, monkeypatch, lock):
    await count(database, tenant_id="a", user_id="b")
    sent = []
    real = selector_events._SelectorSocketTransport.write
    monkeypatch.setattr(
        selector_events._SelectorSocketTransport, "write", lambda self, data: (sent.append(data), real(self, data))
    )
    await count(database, lock, tenant_id="a", user_id="b")
    assert len(sent) == 3


@pytest.mark.parametrize(
    ("held", "wanted", "waits"),
    [
        (Lock("one"), Lock("one"), True),
        (Lock("one"), Lock("one", is_shared=True), True),
        (Lock("one", is_shared=True), Lock("one"), True),
        (Lock("one", is_shared=True), Lock("one", is_shared=True), False),
        (Lock("one"), Lock("other"), False),
    ],
)
async def test_a_lock_is_had_until_the_transaction_ends_and_what_follows_sees_what_it_did(
    database, held, wanted, waits
):
    async with database.transaction(held, tenant_id="a") as connection:
        await connection.execute(text("INSERT INTO toy.note VALUES ('a', 'b')"))
        counting = asyncio.create_task(count(database, wanted, tenant_id="a"))
        while waits and not (await connection.execute(text(WAITING))).scalar_one():
            assert not counting.done()
        assert waits or await counting == 0
    assert await counting == waits


@pytest.mark.parametrize("is_standard", ["on", "off"])
async def test_any_text_arrives_as_it_is_and_as_nothing_else(postgres_templates, database, is_standard):
    choose = random.Random(6)
    texts = [
        "".join(choose.choices("'\\\"E$;-/*\n\t\r\x01\x7fنß\U0001f600 ", k=choose.randrange(30))) for _ in range(300)
    ]
    connection = await asyncpg.connect(postgres_templates._dsn("toy"))
    with contextlib.suppress(asyncpg.PostgresError):  # later servers know no other way than the standard's
        await connection.execute(f"SET standard_conforming_strings = {is_standard}")
    query = "BEGIN; " + "; ".join(
        f"SET LOCAL docuchat.t{number} = {quote(value)}" for number, value in enumerate(texts)
    )
    await connection.execute(query)
    found = [await connection.fetchval(f"SELECT current_setting('docuchat.t{number}')") for number in range(len(texts))]
    await connection.close()
    assert found == texts


@pytest.mark.parametrize("tenant", ["b'; SET LOCAL docuchat.tenant_id = 'a", "b\\'; SET LOCAL docuchat.tenant_id = 'a"])
async def test_a_setting_cannot_smuggle_another_one_in(database, tenant):
    await write(database, "a")
    assert await count(database, tenant_id=tenant) == 0


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
async def test_a_setting_that_is_no_text_for_postgresql_is_the_callers_fault(database, value):
    with pytest.raises(UnfitValue):
        await count(database, tenant_id=value)


async def test_a_call_that_is_cancelled_at_any_moment_leaves_no_transaction(postgres_templates, database):
    async def work():
        async with database.transaction(tenant_id="a") as connection:
            await connection.execute(text("INSERT INTO toy.note VALUES ('a', 'never')"))
            await connection.execute(text("SELECT pg_sleep(0.001)"))
            await asyncio.sleep(60)

    for turns in range(60):
        task = asyncio.ensure_future(work())
        for _ in range(turns // 2):
            await asyncio.sleep(0)
        if turns % 2:
            await asyncio.sleep(0.01)
        task.cancel()
        # A second one hits the rollback itself.
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await count(database, tenant_id="a") == 0
    assert await count_left_open(postgres_templates) == 0


async def test_a_connection_that_cannot_roll_back_is_not_used_again(postgres_templates, database, monkeypatch):
    pids = []

    async def fail():
        async with database.transaction(tenant_id="a") as connection:
            pids.append((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())
            raise LookupError

    real = asyncpg.Connection.execute

    async def execute(self, query, *arguments, **options):
        if query == "ROLLBACK":
            raise asyncpg.InterfaceError("no")
        return await real(self, query, *arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    for _ in range(2):
        with pytest.raises(LookupError):
            await fail()
    assert pids[0] != pids[1]
    assert await count_left_open(postgres_templates) == 0


async def test_connections_that_were_lost_meanwhile_are_replaced_and_no_call_notices(postgres_templates, database):
    await asyncio.gather(*(count(database) for _ in range(5)))
    admin = await asyncpg.connect(postgres_templates._dsn("toy"))
    # Other workers' tests have connections of this name in databases of their own.
    ours = "datname = current_database() AND application_name = 'test'"
    await admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
    await admin.close()
    assert await asyncio.gather(*(count(database) for _ in range(10))) == [0] * 10


async def test_whoever_waits_longest_for_a_connection_has_the_next(postgres_templates, database):
    small = Database.connect(postgres_templates._url("docuchat_toy", "toy"), name="test", pool_size=1)
    turns = []

    async def come_back(name):
        for _ in range(20):
            await count(small)
            turns.append(name)

    await asyncio.gather(come_back("a"), come_back("b"))
    await small.close()
    assert set(turns[:6]) == {"a", "b"}


async def test_closing_waits_for_what_is_under_way_and_then_nothing_is_opened(
    postgres_templates, database, monkeypatch
):
    monkeypatch.setattr("servicekit.database.POOL_TIMEOUT_SECONDS", 0.1)
    small = Database.connect(postgres_templates._url("docuchat_toy", "toy"), name="test", pool_size=2)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work():
        async with small.transaction() as connection:
            begun.set()
            await go_on.wait()
            return (await connection.execute(text("SELECT 1"))).scalar_one()

    working = asyncio.create_task(work())
    await begun.wait()
    closing = asyncio.create_task(small.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert working.done()
    assert await working == 1
    with pytest.raises(DependencyUnavailable):
        await small.ping()
