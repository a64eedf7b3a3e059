"""Between the protos and the model of plans and usage."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from auth.billing.months import begin_month
from auth.model.billing import (
    Grouping,
    Plan,
    PlanLimits,
    Quota,
    Subscription,
    UsageEntry,
    UsageKind,
    UsagePart,
    UsageQuery,
    UsageReport,
)
from docuchat.auth.v1 import plan_pb2, plan_service_pb2, usage_service_pb2
from servicekit.errors import FieldViolation, InvalidField

Window = usage_service_pb2.GetUsageRequest.Window
MAX_DAYS = 400
LAST = {Window.LAST_24_HOURS: timedelta(hours=24), Window.LAST_7_DAYS: timedelta(days=7)}


def to_plans_proto(plans: Sequence[Plan]) -> plan_service_pb2.ListPlansResponse:
    """Returns the price list's message."""
    return plan_service_pb2.ListPlansResponse(plans=map(to_plan_proto, plans))


def to_plan_proto(plan: Plan) -> plan_pb2.Plan:
    """Returns the plan's message."""
    features = ParseDict(plan.features, Struct())
    return plan_pb2.Plan(
        plan_id=plan.plan_id,
        display_name=plan.display_name,
        monthly_price_minor=plan.monthly_price_minor,
        currency=plan.currency,
        features=features,
        limits=plan_pb2.PlanLimits(**vars(plan.limits)),
        stripe_price_id=plan.stripe_price_id,
    )


def to_subscription_proto(subscription: Subscription) -> plan_pb2.Subscription:
    """Returns the subscription's message."""
    return plan_pb2.Subscription(
        tenant_id=subscription.tenant_id,
        plan=to_plan_proto(subscription.plan),
        status=subscription.status.value,
        stripe_customer_id=subscription.stripe_customer_id,
        period_end_time=subscription.period_end_time,
    )


def to_limits_proto(limits: PlanLimits) -> usage_service_pb2.GetLimitsResponse:
    """Returns the message of what services count themselves."""
    return usage_service_pb2.GetLimitsResponse(
        documents=limits.documents, storage_bytes=limits.storage_bytes, bots=limits.bots
    )


def to_entry(message: usage_service_pb2.UsageEntry) -> UsageEntry:
    """Returns one call of a model."""
    return UsageEntry(
        usage_id=message.usage_id,
        tenant_id=message.tenant_id,
        user_id=message.user_id,
        api_key_id=message.api_key_id,
        kind=UsageKind(usage_service_pb2.UsageKind.Name(message.kind)),
        provider=message.provider,
        model=message.model,
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
        cached_tokens=message.cached_tokens,
        end_time=to_moment(message.end_time),
    )


def to_usage_query(
    request: usage_service_pb2.GetUsageRequest, *, tenant_id: str, user_id: str, now: datetime
) -> UsageQuery:
    """Returns which usage is asked for, of one user if one is named. Raises InvalidField."""
    start_time, end_time = read_times(request, now)
    grouping = usage_service_pb2.GetUsageRequest.Grouping
    return UsageQuery(
        tenant_id=tenant_id,
        start_time=start_time,
        end_time=end_time,
        group_by=frozenset(Grouping(grouping.Name(each)) for each in request.group_by),
        user_id=user_id,
        model=request.model,
    )


def read_times(request: usage_service_pb2.GetUsageRequest, now: datetime) -> tuple[datetime, datetime]:
    """Returns where the time begins and ends. Raises InvalidField."""
    if request.window in LAST:
        start_time = now - LAST[request.window]
    elif request.HasField("start_time"):
        start_time = to_moment(request.start_time)
    else:
        start_time = begin_month(now)
    end_time = to_moment(request.end_time) if request.HasField("end_time") else now
    if request.window and (request.HasField("start_time") or request.HasField("end_time")):
        raise InvalidField(FieldViolation("window", "must not stand beside start_time or end_time"))
    if end_time < start_time:
        raise InvalidField(FieldViolation("end_time", "must not be before start_time"))
    if end_time - start_time > timedelta(days=MAX_DAYS):
        raise InvalidField(FieldViolation("start_time", f"must be at most {MAX_DAYS} days before end_time"))
    return start_time, end_time


def to_moment(message: Timestamp) -> datetime:
    """Returns a timestamp's moment."""
    return message.ToDatetime(UTC)


def to_usage_proto(report: UsageReport) -> usage_service_pb2.GetUsageResponse:
    """Returns the report's message."""
    return usage_service_pb2.GetUsageResponse(
        parts=map(to_part_proto, report.parts),
        total=to_part_proto(report.total),
        start_time=report.query.start_time,
        end_time=report.query.end_time,
        quota=to_quota_proto(report.quota),
    )


def to_part_proto(part: UsagePart) -> usage_service_pb2.UsagePart:
    """Returns the sum's message."""
    values = {name: value for name, value in vars(part).items() if name != "kind"}
    kind = part.kind.value if part.kind else "USAGE_KIND_UNSPECIFIED"
    return usage_service_pb2.UsagePart(**values, kind=kind)


def to_quota_proto(quota: Quota) -> usage_service_pb2.Quota:
    """Returns the quota's message."""
    return usage_service_pb2.Quota(
        plan_id=quota.plan_id,
        monthly_tokens=quota.limit,
        used_tokens=quota.balance.used_tokens,
        reserved_tokens=quota.balance.reserved_tokens,
        remaining_tokens=quota.remaining,
        reset_time=quota.reset_time,
    )
