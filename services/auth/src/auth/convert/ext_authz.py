"""Between Envoy's question about a request and what the exchange needs; a refusal as the gateway answers it."""

import base64
import json
from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status

from docuchat.auth.v1 import ext_authz_service_pb2 as pb
from servicekit.errors import AppError, Code
from servicekit.rpc.interceptor import find_request_id
from servicekit.rpc.status import build_status

Headers = tuple[tuple[str, str], ...]
DOMAIN = "auth.docuchat"
HTTP_STATUSES = {
    Code.INVALID_ARGUMENT: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNAVAILABLE: 503,
}


def to_headers(request: pb.CheckRequest) -> Headers:
    """Returns the headers of the request that Envoy asks about; those that came twice are there twice."""
    return tuple(read_headers(request))


def read_headers(request: pb.CheckRequest) -> Iterator[tuple[str, str]]:
    """Yields name and value. What is no text becomes what no header of ours may hold."""
    for header in request.attributes.request.http.header_map.headers:
        yield header.key, header.value or header.raw_value.decode("utf-8", "replace")


def find_values(headers: Headers, name: str) -> tuple[str, ...]:
    """Returns what a header says, once for each time it came."""
    return tuple(value for key, value in headers if key == name)


def to_passed_proto(access_token: str) -> pb.CheckResponse:
    """Returns the answer that a request goes on with this token."""
    authorization = f"Bearer {access_token}"
    passed = pb.OkHttpResponse(headers=[set_header("authorization", authorization)])
    return pb.CheckResponse(status=Status(), ok_response=passed, dynamic_metadata={"authorization": authorization})


def to_refused_proto(error: AppError, headers: Headers) -> pb.CheckResponse:
    """Returns the answer that a request is refused with an error, in the form of the services' errors."""
    status = build_status(error, DOMAIN, find_request_id(headers))
    denied = pb.DeniedHttpResponse(status=pb.HttpStatus(code=HTTP_STATUSES.get(error.code, 500)))
    if any(value.startswith("application/grpc") for value in find_values(headers, "content-type")):
        denied.headers.extend(set_header(name, value) for name, value in write_grpc_headers(status))
    else:
        denied.headers.append(set_header("content-type", "application/json"))
        denied.body = json.dumps(MessageToDict(status, preserving_proto_field_name=True))
    return pb.CheckResponse(status=Status(code=status.code), denied_response=denied)


def write_grpc_headers(status: Status) -> Iterator[tuple[str, str]]:
    """Yields the headers that make an answer without a body a status, for gRPC and gRPC-Web alike."""
    yield "grpc-status", str(status.code)
    yield "grpc-message", status.message
    yield "grpc-status-details-bin", base64.b64encode(status.SerializeToString()).rstrip(b"=").decode()


def set_header(name: str, value: str) -> pb.HeaderValueOption:
    """Returns Envoy's form of a header that replaces what is there."""
    return pb.HeaderValueOption(
        header=pb.HeaderValue(key=name, value=value), append_action=pb.HeaderValueOption.APPEND_ACTION_OVERWRITE
    )
