"""One running call, as the server's layers see it."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from docuchat.common.v1 import access_pb2
from servicekit.identity import Scope

Metadata = Iterable[tuple[str, str | bytes]]
FORWARDED = "x-docuchat-forwarded"
"""Stands at calls that a service makes for the caller of its own; the gateway removes it from what comes in."""
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


# A protocol of others is described by a proto of ours, and served under the name that they call.
FOREIGN_SERVICES = {"envoy.service.auth.v3.Authorization": "docuchat.auth.v1.ExtAuthzService"}


def find_service(name: str) -> ServiceDescriptor:
    """Returns the descriptor of "package.Service", by the name it is served under. Raises KeyError."""
    return descriptor_pool.Default().FindServiceByName(FOREIGN_SERVICES.get(name, name))


def find_method(method: str) -> MethodDescriptor:
    """Returns the descriptor of "/package.Service/Method". Raises KeyError."""
    service, _, name = method.removeprefix("/").partition("/")
    return find_service(service).methods_by_name[name]


@dataclass(frozen=True)
class Rule:
    """Who may call a method, as its proto says."""

    access: access_pb2.Access  # ACCESS_UNSPECIFIED where it says nothing
    callers: frozenset[str]  # the services that may call a method of ACCESS_SERVICE
    scopes: frozenset[Scope]  # what opens the method to an API key; one of them is enough
    session_only: bool  # whether no API key may call it


@cache
def read_rule(method: str) -> Rule:
    """Returns the method's rule. Raises KeyError for methods that no proto has."""
    found = find_method(method).GetOptions().Extensions
    scopes: list[access_pb2.Scope] = list(found[access_pb2.scope])  # type: ignore[index]
    callers = frozenset[str](found[access_pb2.callers])  # type: ignore[index]
    return Rule(found[access_pb2.access], callers, to_scopes(scopes), found[access_pb2.session_only])  # type: ignore[index]


def to_scopes(scopes: Iterable[access_pb2.Scope]) -> frozenset[Scope]:
    """Returns the scopes that a proto names."""
    return frozenset(Scope(access_pb2.Scope.Name(scope)) for scope in scopes)
