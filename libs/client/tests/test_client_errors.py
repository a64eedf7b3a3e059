import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
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


@pytest.mark.parametrize(("told", "expected"), [({}, "header"), ({"request_id": "info"}, "info")])
def test_an_error_has_a_request_id_also_where_the_gateway_refused(told, expected):
    info = Any()
    info.Pack(ErrorInfo(reason="TOKEN_EXPIRED", domain="gateway.docuchat", metadata=told))
    status = Status(code=grpc.StatusCode.UNAUTHENTICATED.value[0], message="expired", details=[info])
    trailing = [("x-request-id", "header"), ("grpc-status-details-bin", status.SerializeToString())]
    found = read_error(failed(grpc.StatusCode.UNAUTHENTICATED, "expired", trailing))
    assert (found.reason, found.metadata) == ("TOKEN_EXPIRED", {"request_id": expected})


def test_a_connection_that_fails_is_a_gateway_that_cannot_be_reached():
    assert isinstance(read_error(failed(grpc.StatusCode.UNAVAILABLE, "failed to connect")), GatewayUnreachable)
