"""The fixtures: service_database, tokens, rpc."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from testkit.postgres import PostgresTemplates, TestDatabase, run_postgres
from testkit.rpc import InProcessRpc
from testkit.tokens import TestTokens


@pytest.fixture(scope="session")
def postgres_templates(testrun_uid: str) -> Iterator[PostgresTemplates]:
    """One PostgreSQL for all workers of the session."""
    # Not pytest's own folder: that is closed to the user as whom root runs PostgreSQL.
    with run_postgres(Path(tempfile.gettempdir()) / f"docuchat-pg-{testrun_uid}") as admin_dsn:
        yield PostgresTemplates(admin_dsn)


@pytest_asyncio.fixture
async def service_database(
    postgres_templates: PostgresTemplates,
) -> AsyncIterator[Callable[[str], Awaitable[TestDatabase]]]:
    """Returns a function that gives a fresh database of a service: `await service_database("auth")`."""
    async with AsyncExitStack() as stack:

        async def clone(service: str) -> TestDatabase:
            return await stack.enter_async_context(postgres_templates.clone(service))

        yield clone


@pytest.fixture(scope="session")
def tokens() -> TestTokens:
    """Issues access tokens that the test's servers accept."""
    return TestTokens()


@pytest.fixture
def rpc(tokens: TestTokens) -> InProcessRpc:
    """Starts gRPC servers in this process: `async with rpc(name=..., add_servicers=..., token=...) as channel`."""
    return InProcessRpc(tokens)
