"""The errors that the flows of auth raise; reasons are values of ErrorReason in error_reason.proto."""

from datetime import timedelta

from servicekit.errors import AppError, Code, FieldViolation


class InvalidCredentials(AppError):
    """Raised when address and password do not belong together, whichever is wrong."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "INVALID_CREDENTIALS", "The e-mail address and the password do not match."
        )


class EmailTaken(AppError):
    """Raised when someone signs up with an address that has an account."""

    def __init__(self) -> None:
        super().__init__(
            Code.ALREADY_EXISTS, "EMAIL_TAKEN", "This e-mail address has an account already; log in instead."
        )


class WeakPassword(AppError):
    """Raised when a new password is too short or among those that are tried first."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "WEAK_PASSWORD",
            f"This password {why}; choose another, such as a sentence only you would say.",
            violations=[FieldViolation("password", why)],
        )


class InvalidRefreshToken(AppError):
    """Raised when a refresh token is unknown, used up, expired or revoked."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN", "This refresh token is no longer good; log in again."
        )


class InvalidServiceCredentials(AppError):
    """Raised when a service's name and secret do not belong together."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "INVALID_SERVICE_CREDENTIALS", "The service name and the secret do not match."
        )


class TenantNotFound(AppError):
    """Raised when a user asks for a tenant that is not among the own memberships."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "TENANT_NOT_FOUND", "You are a member of no such tenant.")


class TooManyAttempts(AppError):
    """Raised, before the password is looked at, when an address has failed too often."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_ATTEMPTS",
            f"Too many failed log-ins for this address; try again in {seconds} seconds.",
            retry_after_seconds=seconds,
        )


class AddressLocked(AppError):
    """Raised when an address has failed so often that only the operator opens it again."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_ATTEMPTS",
            "This address is locked after too many failed log-ins; ask the operator to unlock it.",
            retry_after_seconds=timedelta(days=1).total_seconds(),
        )


class HasherBusy(AppError):
    """Raised when more passwords wait to be hashed than could be served in time."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "OVERLOADED",
            "Too many people log in at this moment; try again in a second.",
            retry_after_seconds=1,
        )


class UserGone(AppError):
    """Raised when a valid token names a user who no longer exists."""

    def __init__(self) -> None:
        super().__init__(Code.UNAUTHENTICATED, "TOKEN_INVALID", "The user behind this token no longer exists.")


class SlugTaken(Exception):
    """Raised by a store when another tenant has the slug; the flow tries another."""


class TenantSuspended(AppError):
    """Raised when a member would work in a tenant that is suspended."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "TENANT_SUSPENDED",
            "This tenant is suspended; ask the operator of the service.",
        )


class UserDeactivated(AppError):
    """Raised when a user may not log in, or not into this tenant."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "USER_DEACTIVATED",
            "This user is deactivated here; ask an administrator of the tenant.",
        )


class StaffNotAllowed(AppError):
    """Raised when somebody logs in as staff who is none, or where staff may not."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "STAFF_NOT_ALLOWED",
            "This user may not log in as staff here; log in without it.",
        )
