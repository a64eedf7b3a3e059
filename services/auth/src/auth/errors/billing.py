"""What can go wrong with plans, payments and usage."""

from datetime import datetime

from servicekit.errors import AppError, Code, QuotaViolation


class QuotaExceeded(AppError):
    """Raised when a plan has no room for what a call may use."""

    def __init__(self, plan_id: str, limit: int, now: datetime, reset_time: datetime) -> None:
        sentence = f"The plan {plan_id!r} allows {limit:,} tokens a month; it resets at {reset_time.isoformat()}."
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "QUOTA_EXCEEDED",
            f"{sentence} Wait, or ask an administrator of the tenant for a larger plan.",
            metadata={"plan_id": plan_id, "limit": "monthly_tokens", "reset_time": reset_time.isoformat()},
            retry_after_seconds=(reset_time - now).total_seconds(),
            quota_violations=[QuotaViolation("monthly_tokens", sentence)],
        )


class PlanNotFound(AppError):
    """Raised for a plan that does not exist, or cannot be bought."""

    def __init__(self, plan_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND, "PLAN_NOT_FOUND", f"There is no plan {plan_id!r} to have; GET /v1/plans lists them."
        )


class BillingNotConfigured(AppError):
    """Raised where payments were not set up."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "BILLING_NOT_CONFIGURED",
            "This installation takes no payments; its operator would have to set DOCUCHAT_STRIPE_SECRET_KEY.",
        )


class NoCustomer(AppError):
    """Raised when a tenant that never bought anything asks for its bills."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION, "NO_CUSTOMER", "Nothing was bought for this tenant yet; begin with a checkout."
        )


class InvalidSignature(AppError):
    """Raised for an event that the payment provider did not sign, or signed too long ago."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            "INVALID_SIGNATURE",
            "The event's signature is missing, wrong or too old; check the endpoint's secret and the clock.",
        )
