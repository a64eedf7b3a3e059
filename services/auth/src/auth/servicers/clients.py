"""Where a call comes from."""

from dataclasses import dataclass
from typing import Any

from grpc.aio import ServicerContext

from auth.convert.clients import to_client
from auth.model.accounts import Client

Context = ServicerContext[Any, Any]


@dataclass(frozen=True)
class ReadClient:
    """Reads the client of a call; `address_header` is the one that the gateway sets, and nobody else can."""

    address_header: str

    def __call__(self, context: Context, device: str = "", device_token: str = "") -> Client:
        """Returns the client."""
        metadata = context.invocation_metadata() or ()
        return to_client(metadata, context.peer(), self.address_header, device=device, device_token=device_token)
