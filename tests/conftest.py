"""One running stack for every test that needs it, and the three transports to it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import Account, join_tenant, sign_up
from tests.documents import make_pdf
from tests.running_stack import RunningStack
from tests.transports import JsonTransport, StubTransport, Transport, WebTransport
from tests.web_client import WebClient, WebClientMissing, prepare_web_client

FIRST_PAGE = """The lighthouse of Norwick
The lighthouse of Norwick was built in 1874 by the engineer Ada Lindqvist.
Its lamp can be seen from 27 nautical miles away."""
SECOND_PAGE = """Visiting
The tower has 212 steps and opens at nine in the morning.
Dogs must wait at the gate."""
LIGHTHOUSE = (FIRST_PAGE, SECOND_PAGE)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """The stack, healthy; it must stop cleanly in the end."""
    with tempfile.TemporaryDirectory(prefix="docuchat-e2e-", ignore_cleanup_errors=True) as folder:
        # PostgreSQL refuses to run as root, so the launcher gives it another user, which has to get here.
        Path(folder).chmod(0o711)
        running = RunningStack(Path(folder) / "home")
        try:
            running.start()
            yield running
            before = running.processes()
            assert running.stop() == 0, running.describe()
            assert running.survivors(before) == []
        finally:
            running.end()


@pytest.fixture(scope="session")
def owner(stack: RunningStack) -> Account:
    """A user whose documents the other tests look for."""
    return sign_up(stack, "owner")


@pytest.fixture(scope="session")
def lighthouse(owner: Account) -> dict:
    """A READY PDF of two pages that belongs to `owner`."""
    return owner.upload_ready(make_pdf(*LIGHTHOUSE), "lighthouse.pdf")


@pytest.fixture
def user(stack: RunningStack) -> Account:
    """A user without any documents."""
    return sign_up(stack)


@pytest.fixture(scope="session")
def stranger(stack: RunningStack) -> Account:
    """A user of another tenant than `owner`."""
    return sign_up(stack, "stranger")


@pytest.fixture(scope="session")
def colleague(stack: RunningStack, owner: Account) -> Account:
    """A member of the tenant of `owner`."""
    return join_tenant(stack, owner)


@pytest.fixture(params=["http", "grpc", "grpc-web"])
def transport(request: pytest.FixtureRequest, stack: RunningStack) -> Transport:
    """Each transport in turn."""
    if request.param == "http":
        return JsonTransport(stack.port)
    if request.param == "grpc":
        return StubTransport(stack.port)
    return request.getfixturevalue("web")


@pytest.fixture(scope="session")
def web(stack: RunningStack) -> Iterator[WebTransport]:
    """The gRPC-Web client."""
    try:
        client = WebClient(prepare_web_client(), stack.url)
    except WebClientMissing as missing:
        pytest.skip(f"no gRPC-Web client: {missing}")
    yield WebTransport(stack.port, client)
    client.close()
