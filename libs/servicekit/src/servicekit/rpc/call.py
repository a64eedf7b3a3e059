"""One running call, as the server's layers see it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from docuchat.common.v1 import access_pb2

ServicerContext = grpc.aio.ServicerContext[Any, Any]


@dataclass(slots=True)
class Call:
    """The method that runs and what came with it. Metadata keys are lower case; duplicates are kept."""

    method: str  # "/docuchat.auth.v1.AuthService/Login"
    request_id: str
    metadata: tuple[tuple[str, str | bytes], ...]
    context: ServicerContext
    requests: AsyncIterator[Any] | None = None  # the messages of a client stream


def is_infrastructure(method: str) -> bool:
    """Whether a method is gRPC's own, such as health and reflection: open to all, without data."""
    return method.startswith("/grpc.")


def find_method(method: str) -> MethodDescriptor:
    """Returns the descriptor of "/package.Service/Method". Raises KeyError."""
    service, _, name = method.removeprefix("/").partition("/")
    return descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]


@dataclass(frozen=True)
class Rule:
    """Who may call a method, as its proto says."""

    access: access_pb2.Access  # ACCESS_UNSPECIFIED where it says nothing
    callers: frozenset[str]  # the services that may call a method of ACCESS_SERVICE


@cache
def read_rule(method: str) -> Rule:
    """Returns the method's rule. Raises KeyError for methods that no proto has."""
    options = find_method(method).GetOptions()
    return Rule(options.Extensions[access_pb2.access], frozenset(options.Extensions[access_pb2.callers]))  # type: ignore[index]
