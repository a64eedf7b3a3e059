"""The errors that the flows of auth raise; reasons are values of ErrorReason in error_reason.proto."""

from datetime import timedelta

from servicekit.errors import AppError, Code, FieldViolation


class InvalidCredentials(AppError):
    """Raised when address and password do not belong together, whichever is wrong."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "INVALID_CREDENTIALS", "The e-mail address and the password do not match."
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
    """Raised, before anything is looked at, when an address or a client has tried too often."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_ATTEMPTS",
            f"Too many attempts for this address or from this client; try again in {seconds} seconds.",
            retry_after_seconds=seconds,
        )


class AddressLocked(AppError):
    """Raised when an address has failed so often that only the operator opens it again."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_ATTEMPTS",
            "This address is locked for devices that never logged in, after too many failures; log in where you did "
            "before, or ask the operator to unlock it.",
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


class InvalidCode(AppError):
    """Raised when a code is wrong, expired, used, replaced or was tried too often; which one is not told."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "INVALID_CODE",
            "This code is not good, or not any more; ask for a new one.",
            violations=[FieldViolation("code", "is not the code that was mailed last, or has expired")],
        )


class EmailAlreadyVerified(AppError):
    """Raised when a code is asked for to verify an address that is verified."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "EMAIL_ALREADY_VERIFIED",
            "This e-mail address is verified already; there is nothing to do.",
        )


class WrongPassword(AppError):
    """Raised when somebody who is logged in does not know the password of today."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "WRONG_PASSWORD",
            "The current password is wrong, or there is none; a reset by mail sets a new one.",
            violations=[FieldViolation("current_password", "is not the account's")],
        )


class SessionNotFound(AppError):
    """Raised when the caller has no such session, or it has ended."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "SESSION_NOT_FOUND", "You have no such session, or it has ended.")


class RotationUnderWay(AppError):
    """Raised when another signing key is asked for before the last one signs."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__(
            Code.FAILED_PRECONDITION,
            "ROTATION_UNDER_WAY",
            f"The next signing key begins to sign in {seconds} seconds; exchange it after that.",
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
