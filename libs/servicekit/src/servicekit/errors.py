"""The one error type that flows raise, without a word about transports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The canonical codes (google.rpc.Code) by name."""

    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"


@dataclass(frozen=True)
class FieldViolation:
    """A request field that breaks its documented bounds."""

    field: str
    description: str


@dataclass(frozen=True)
class QuotaViolation:
    """A limit that a caller has reached: its name, and a sentence about it."""

    subject: str
    description: str


class AppError(Exception):
    """Raised wherever a call cannot go on; becomes a status with exactly one ErrorInfo.

    `reason` is a value's name in the service's error_reason.proto, `message` a
    sentence that tells the caller what to do. Neither may hold secrets.
    """

    retried = False
    """Whether whoever raises it has tried again already: then the caller's channel does not do so once more."""

    def __init__(
        self,
        code: Code,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after_seconds: float | None = None,
        violations: Sequence[FieldViolation] = (),
        quota_violations: Sequence[QuotaViolation] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after_seconds = retry_after_seconds
        self.violations = tuple(violations)
        self.quota_violations = tuple(quota_violations)


class DependencyUnavailable(AppError):
    """Raised when a store or service this one needs does not answer now."""

    def __init__(self, dependency: str) -> None:
        super().__init__(
            Code.UNAVAILABLE,
            "DEPENDENCY_UNAVAILABLE",
            f"{dependency} does not answer at the moment; try again.",
            metadata={"dependency": dependency},
            retry_after_seconds=1,
        )


class StorageFull(AppError):
    """Raised when a disk that would have to be written to is full; reads go on."""

    def __init__(self, store: str) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "STORAGE_FULL",
            f"The disk of {store} is full, so nothing was stored; try again later or ask the operator for space.",
            metadata={"store": store},
            retry_after_seconds=30,
        )


class AccessDenied(AppError):
    """Raised when a caller is known and may not do what was asked."""

    def __init__(self, message: str = "Your role does not allow this; ask an administrator of the tenant.") -> None:
        super().__init__(Code.PERMISSION_DENIED, "ACCESS_DENIED", message)


class InvalidField(AppError):
    """Raised when request fields break their documented bounds."""

    def __init__(self, *violations: FieldViolation) -> None:
        first = violations[0]
        more = f" ({len(violations) - 1} more in the details)" if len(violations) > 1 else ""
        super().__init__(
            Code.INVALID_ARGUMENT,
            "INVALID_FIELD",
            f"{first.field}: {first.description}{more}.",
            violations=violations,
        )
