import asyncio
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from retrieval.errors import DocumentDeleted, IndexUnavailable
from retrieval.model import DocumentVersion, ExpectedVersion
from retrieval.stores.versions import PostgresVersionRegistry

TENANT, OTHER_TENANT = str(uuid4()), str(uuid4())
GENERATION = "chunks-letters-26-v2"


def make_version(document_id, tenant_id=TENANT):
    return DocumentVersion(tenant_id, document_id, str(uuid4()), str(uuid4()), "", "a.pdf", "A", "en")


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(postgres_templates):
    async with postgres_templates.clone("retrieval") as database:
        yield database


@pytest_asyncio.fixture(loop_scope="module")
async def registry(database):
    await execute(database, "TRUNCATE retrieval.documents, retrieval.versions")
    return PostgresVersionRegistry(database.database, GENERATION)


async def execute(database, statement, *values):
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def activate(registry, version):
    return await registry.activate_version(version.tenant_id, version.document_id, version.version_id)


async def visible(registry, *versions):
    return await registry.find_visible(TENANT, [version.version_id for version in versions])


async def fetch(database, query):
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def fetch_states(database):
    return {
        str(version): state
        for version, state in await fetch(database, "SELECT version_id, state FROM retrieval.versions")
    }


async def test_a_version_is_recorded_as_pending_before_it_has_points(registry, database):
    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    assert await fetch_states(database) == {version.version_id: "PENDING"}
    assert await visible(registry, version) == frozenset()


async def test_an_active_version_stays_active_when_its_chunks_are_sent_again(registry):
    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    assert await activate(registry, version)
    await registry.begin_version(version)
    assert await visible(registry, version) == {version.version_id}


async def test_activation_moves_visibility_from_one_version_to_the_other(registry, database):
    document = str(uuid4())
    old, new = make_version(document), make_version(document)
    for version in (old, new):
        await registry.begin_version(version)
        await activate(registry, version)
    assert await visible(registry, old, new) == {new.version_id}
    await registry.forget_retired_versions(TENANT, document)
    assert await fetch_states(database) == {new.version_id: "ACTIVE"}


async def test_activation_twice_changes_nothing(registry, database):
    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    await activate(registry, version)
    before = await fetch(database, "SELECT * FROM retrieval.versions")
    assert await activate(registry, version)
    assert await fetch(database, "SELECT * FROM retrieval.versions") == before


async def test_a_version_without_chunks_is_activated_without_having_begun(registry):
    version = make_version(str(uuid4()))
    assert await activate(registry, version)
    assert await visible(registry, version) == {version.version_id}


async def test_points_of_a_version_that_began_later_are_spared(registry):
    document = str(uuid4())
    first, second = make_version(document), make_version(document)
    await registry.begin_version(first)
    await registry.begin_version(second)
    assert not await activate(registry, first)
    assert await activate(registry, second)


async def test_a_buried_document_is_invisible_and_takes_nothing_more(registry):
    document = str(uuid4())
    version = make_version(document)
    await registry.begin_version(version)
    await activate(registry, version)
    await registry.bury_document(TENANT, document)
    await registry.bury_document(TENANT, document)
    assert await visible(registry, version) == frozenset()
    with pytest.raises(DocumentDeleted):
        await registry.begin_version(make_version(document))
    with pytest.raises(DocumentDeleted):
        await activate(registry, version)
    with pytest.raises(DocumentDeleted):
        await registry.check_writable(TENANT, document)


async def test_a_document_can_be_buried_before_its_chunks_come(registry):
    document = str(uuid4())
    await registry.check_writable(TENANT, document)
    await registry.bury_document(TENANT, document)
    with pytest.raises(DocumentDeleted):
        await registry.begin_version(make_version(document))


async def test_a_pending_version_keeps_its_record_after_the_burial(registry, database):
    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    await registry.bury_document(TENANT, version.document_id)
    await registry.forget_retired_versions(TENANT, version.document_id)
    assert await fetch_states(database) == {version.version_id: "PENDING"}


async def test_burial_and_activation_at_once_never_leave_a_buried_document_visible(registry):
    for _ in range(10):
        version = make_version(str(uuid4()))
        await registry.begin_version(version)
        await asyncio.gather(
            activate(registry, version),
            registry.bury_document(TENANT, version.document_id),
            return_exceptions=True,
        )
        assert await visible(registry, version) == frozenset()


async def test_versions_activated_at_once_leave_exactly_one_active(registry):
    document = str(uuid4())
    versions = [make_version(document) for _ in range(5)]
    for version in versions:
        await registry.begin_version(version)
    await asyncio.gather(*(activate(registry, version) for version in versions))
    assert len(await visible(registry, *versions)) == 1


async def test_another_tenant_neither_sees_nor_buries(registry):
    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    await activate(registry, version)
    assert await registry.find_visible(OTHER_TENANT, [version.version_id]) == frozenset()
    await registry.bury_document(OTHER_TENANT, version.document_id)
    assert await visible(registry, version) == {version.version_id}


async def age(database, version, column, table, hours):
    statement = f"UPDATE retrieval.{table} SET {column} = {column} - make_interval(hours => $2) WHERE document_id = $1"
    await execute(database, statement, version.document_id, hours)


async def find_abandoned(registry):
    return {version.version_id for version in await registry.find_abandoned(10)}


async def test_what_nobody_will_show_is_abandoned_whoever_the_tenant_is(registry, database):
    versions = [make_version(str(uuid4())) for _ in range(5)] + [make_version(str(uuid4()), OTHER_TENANT)]
    fresh, shown, stuck, buried, just_buried, theirs = versions
    for version in versions:
        await registry.begin_version(version)
    await activate(registry, shown)
    for version in (buried, just_buried):
        await registry.bury_document(version.tenant_id, version.document_id)
    for version in (shown, stuck, theirs):
        await age(database, version, "begin_time", "versions", 25)
    await age(database, buried, "delete_time", "documents", 2)
    assert await find_abandoned(registry) == {stuck.version_id, buried.version_id, theirs.version_id}
    for version in await registry.find_abandoned(10):
        assert await registry.claim_abandoned(version)
        await registry.forget_abandoned(version)
    assert await find_abandoned(registry) == set()
    assert set(await fetch_states(database)) == {fresh.version_id, shown.version_id, just_buried.version_id}


async def test_a_retired_version_is_abandoned(registry):
    document = str(uuid4())
    old, new = make_version(document), make_version(document)
    for version in (old, new):
        await registry.begin_version(version)
        await activate(registry, version)
    assert await find_abandoned(registry) == {old.version_id}


@pytest.mark.parametrize("revive", ["begin_version", "activate"])
async def test_a_version_that_lives_again_keeps_its_record(registry, database, revive):
    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    await age(database, version, "begin_time", "versions", 25)
    (found,) = await registry.find_abandoned(10)
    await (activate(registry, version) if revive == "activate" else registry.begin_version(version))
    assert not await registry.claim_abandoned(found)
    await registry.forget_abandoned(found)
    assert set(await fetch_states(database)) == {version.version_id}


@pytest.mark.parametrize("revive", ["begin_version", "activate"])
async def test_a_version_that_is_being_swept_is_neither_written_nor_shown_until_it_is_gone(registry, database, revive):
    async def live_again():
        await (activate(registry, version) if revive == "activate" else registry.begin_version(version))

    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    await age(database, version, "begin_time", "versions", 25)
    (found,) = await registry.find_abandoned(10)
    assert await registry.claim_abandoned(found)
    with pytest.raises(IndexUnavailable):
        await live_again()
    # A sweep that was cut short is taken up by the next, whoever makes it.
    assert await find_abandoned(registry) == {version.version_id}
    assert await registry.claim_abandoned(found)
    await registry.forget_abandoned(found)
    await live_again()
    assert set(await fetch_states(database)) == {version.version_id}


async def test_either_the_sweep_or_the_activation_comes_first(registry, database):
    for _ in range(20):
        version = make_version(str(uuid4()))
        await registry.begin_version(version)
        await age(database, version, "begin_time", "versions", 25)
        (found,) = await registry.find_abandoned(10)
        claimed, activated = await asyncio.gather(
            registry.claim_abandoned(found), activate(registry, version), return_exceptions=True
        )
        assert (claimed, isinstance(activated, IndexUnavailable)) in ((True, True), (False, False))
        await registry.forget_abandoned(found)


async def test_versions_of_another_generation_are_neither_visible_nor_lost(registry, database):
    version, old = make_version(str(uuid4())), make_version(str(uuid4()))
    for made in (version, old):
        await registry.begin_version(made)
        await activate(registry, made)
    await execute(database, "UPDATE retrieval.versions SET generation = NULL WHERE version_id = $1", old.version_id)
    other = PostgresVersionRegistry(database.database, "chunks-other-8-v2")
    assert await visible(registry, version, old) == {version.version_id}
    assert await visible(other, version, old) == frozenset()
    assert await other.find_generations() is None
    for made in (version, old):
        await other.begin_version(made)
        assert await activate(other, made)
    assert await visible(other, version, old) == {version.version_id, old.version_id}
    assert await visible(registry, version, old) == frozenset()
    assert await registry.find_generations() == {"chunks-other-8-v2"}


async def test_versions_of_all_tenants_are_described_in_the_order_they_were_asked_for(registry):
    shown, pending, buried, missing = (make_version(str(uuid4())) for _ in range(4))
    theirs = make_version(str(uuid4()), OTHER_TENANT)
    for version in (shown, pending, buried, theirs):
        await registry.begin_version(version)
    for version in (shown, buried, theirs):
        await activate(registry, version)
    await registry.bury_document(TENANT, buried.document_id)
    asked = [missing, theirs, buried, pending, shown]
    expected = [ExpectedVersion(row.tenant_id, row.document_id, row.version_id, 1) for row in asked]
    found = await registry.describe(expected)
    assert found == ["INVISIBLE", "VISIBLE", "BURIED", "INVISIBLE", "VISIBLE"]
    other = PostgresVersionRegistry(registry._database, "chunks-other-8-v2")
    assert (await other.describe(expected))[-1] == "OTHER_GENERATION"


async def test_no_versions_are_asked_for_without_a_query(registry):
    assert await registry.find_visible(TENANT, []) == frozenset()


@pytest.mark.parametrize("role_url", ["url", "owner_url"])
async def test_every_table_hides_every_row_from_a_session_without_a_tenant(registry, database, role_url):
    await registry.begin_version(make_version(str(uuid4())))
    tables = await fetch(
        database,
        "SELECT relname, relforcerowsecurity FROM pg_class "
        "WHERE relnamespace = 'retrieval'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'",
    )
    assert sorted(tables) == [("documents", True), ("versions", True)]
    url = make_url(getattr(database, role_url)).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        for table, _ in tables:
            assert await connection.fetchval(f"SELECT count(*) FROM retrieval.{table}") == 0
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await connection.execute(
                    "INSERT INTO retrieval.documents (tenant_id, document_id) VALUES ($1, $2)", uuid4(), uuid4()
                )
    finally:
        await connection.close()


async def test_two_visible_versions_of_one_document_are_impossible(registry, database):
    version = make_version(str(uuid4()))
    await registry.begin_version(version)
    await activate(registry, version)
    insert = "INSERT INTO retrieval.versions (tenant_id, document_id, version_id, state) VALUES ($1, $2, $3, 'ACTIVE')"
    with pytest.raises(asyncpg.UniqueViolationError):
        await execute(database, insert, TENANT, version.document_id, str(uuid4()))
