"""ExtAuthzService at the RPC edge, under the name that Envoy calls."""

from typing import Any

import grpc
from grpc.aio import ServicerContext

from auth.convert import ext_authz as convert
from auth.keys.exchange import Exchange
from docuchat.auth.v1 import ext_authz_service_pb2 as pb
from docuchat.auth.v1.ext_authz_service_pb2_grpc import ExtAuthzServiceServicer
from servicekit.errors import AppError
from servicekit.rpc.access import read_bearer

ENVOYS_NAME = "envoy.service.auth.v3.Authorization"


class ExtAuthzServicer(ExtAuthzServiceServicer):
    """Tells the gateway what a request goes on with."""

    def __init__(self, exchange: Exchange, *, tenant_header: str, on_behalf_of_header: str) -> None:
        self._exchange = exchange
        self._tenant_header = tenant_header
        self._on_behalf_of_header = on_behalf_of_header

    async def Check(self, request: pb.CheckRequest, context: ServicerContext[Any, Any]) -> pb.CheckResponse:
        """Trades what the request shows for a token."""
        headers = convert.to_headers(request)
        try:
            token = await self._exchange.trade(
                read_bearer(headers),
                convert.find_values(headers, self._tenant_header),
                convert.find_values(headers, self._on_behalf_of_header),
            )
        # The call has done its work: that the request is refused is what it was asked for.
        except AppError as error:
            return convert.to_refused_proto(error, headers)
        return convert.to_passed_proto(token)


def add_as_envoy_calls_it(servicer: ExtAuthzServicer, server: grpc.aio.Server) -> None:
    """Adds the service under Envoy's name for it."""
    check = grpc.unary_unary_rpc_method_handler(
        servicer.Check, pb.CheckRequest.FromString, pb.CheckResponse.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ENVOYS_NAME, {"Check": check}),))
