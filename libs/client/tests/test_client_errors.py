import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from docuchat_client.errors import GatewayUnreachable, read_error


def failed(code, details, trailing=()):
    return AioRpcError(code, Metadata(), Metadata(*trailing), details)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            failed(grpc.StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE: The service does not answer."),
            ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE", "The service does not answer."),
        ),
        (
            failed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"),
            ("DEADLINE_EXCEEDED", "DEADLINE_PASSED", "The answer took longer than this call may wait."),
        ),
        (failed(grpc.StatusCode.UNIMPLEMENTED, ""), ("UNIMPLEMENTED", "", "UNIMPLEMENTED")),
        (
            failed(grpc.StatusCode.NOT_FOUND, "gone", [("grpc-status-details-bin", b"\xff\xff")]),
            ("NOT_FOUND", "", "gone"),
        ),
    ],
)
def test_an_error_without_a_rich_status_still_says_what_it_can(error, expected):
    found = read_error(error)
    assert (found.code, found.reason, found.message) == expected


def test_a_connection_that_fails_is_a_gateway_that_cannot_be_reached():
    assert isinstance(read_error(failed(grpc.StatusCode.UNAVAILABLE, "failed to connect")), GatewayUnreachable)
