"""One running call, as the server's layers see it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from docuchat.common.v1 import access_pb2

ServicerContext = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Call:
    """The method that runs and what came with it. Metadata keys are lower case; duplicates are kept."""

    method: str  # "/docuchat.auth.v1.AuthService/Login"
    request_id: str
    metadata: tuple[tuple[str, str | bytes], ...]
    context: ServicerContext
    requests: AsyncIterator[Any] | None = None  # the messages of a client stream

    def values(self, key: str) -> list[str]:
        """Returns every text value sent under a key."""
        return [value for name, value in self.metadata if name == key and isinstance(value, str)]


Layer = Callable[[Call], AbstractAsyncContextManager[None]]
"""What surrounds every call: entered before the handler, left after its last message."""


def is_infrastructure(method: str) -> bool:
    """Whether a method is gRPC's own, such as health and reflection: open to all, without data."""
    return method.startswith("/grpc.")


def find_method(method: str) -> MethodDescriptor:
    """Returns the descriptor of "/package.Service/Method". Raises KeyError."""
    service, _, name = method.removeprefix("/").partition("/")
    return descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]


def read_access(method: str) -> access_pb2.Access:
    """Returns the method's access option; ACCESS_UNSPECIFIED where it has none."""
    options = find_method(method).GetOptions()
    found: access_pb2.Access = options.Extensions[access_pb2.access]  # type: ignore[index]
    return found
