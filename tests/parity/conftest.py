"""The three transports; gRPC-Web is skipped, with the reason, where its client cannot be set up."""

from collections.abc import Iterator

import pytest

from tests.running_stack import RunningStack
from tests.transports import JsonTransport, StubTransport, Transport, WebTransport
from tests.web_client import WebClient, WebClientMissing, prepare_web_client


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
