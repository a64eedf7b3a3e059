"""UsageService at the RPC edge."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from grpc.aio import ServicerContext

from auth.billing.usage import UsageMeter
from auth.convert import billing as convert
from docuchat.auth.v1 import usage_service_pb2
from docuchat.auth.v1.usage_service_pb2_grpc import UsageServiceServicer
from servicekit.identity import current_principal

Context = ServicerContext[Any, Any]


class UsageServicer(UsageServiceServicer):
    """Counts what models read and write."""

    def __init__(self, meter: UsageMeter, clock: Callable[[], datetime]) -> None:
        self._meter = meter
        self._clock = clock

    async def GetUsage(
        self, request: usage_service_pb2.GetUsageRequest, context: Context
    ) -> usage_service_pb2.GetUsageResponse:
        """Reports what was used: to members their own, to administrators everybody's."""
        caller = current_principal()
        query = convert.to_usage_query(
            request,
            tenant_id=caller.tenant_id,
            user_id=request.user_id if caller.is_admin else caller.subject,
            now=self._clock(),
        )
        return convert.to_usage_proto(await self._meter.report(query))

    async def ReserveUsage(
        self, request: usage_service_pb2.ReserveUsageRequest, context: Context
    ) -> usage_service_pb2.ReserveUsageResponse:
        """Sets tokens aside."""
        hold = timedelta(seconds=request.hold_seconds)
        left = await self._meter.reserve(request.tenant_id, request.usage_id, request.tokens, hold)
        return usage_service_pb2.ReserveUsageResponse(remaining_tokens=left)

    async def CommitUsage(
        self, request: usage_service_pb2.CommitUsageRequest, context: Context
    ) -> usage_service_pb2.CommitUsageResponse:
        """Counts calls that have ended."""
        counted = await self._meter.commit([convert.to_entry(entry) for entry in request.entries])
        return usage_service_pb2.CommitUsageResponse(counted=counted)

    async def GetLimits(
        self, request: usage_service_pb2.GetLimitsRequest, context: Context
    ) -> usage_service_pb2.GetLimitsResponse:
        """Tells what a plan allows."""
        return convert.to_limits_proto(await self._meter.find_limits(request.tenant_id))
