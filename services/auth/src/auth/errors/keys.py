"""The errors of API keys, and of what comes to the gateway in place of an access token."""

from servicekit.errors import AppError, Code


class ApiKeyInvalid(AppError):
    """Raised when a secret belongs to no key."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            "API_KEY_INVALID",
            "There is no such API key; check it for a typing error, or use its newest secret.",
        )


class ApiKeyExpired(AppError):
    """Raised when the time of a key, or of a secret that a rotation has replaced, is over."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, "API_KEY_EXPIRED", "This API key, or this secret of it, has expired; use a new one."
        )


class ApiKeyRevoked(AppError):
    """Raised when a key was revoked, or its maker is no member any more."""

    def __init__(self) -> None:
        super().__init__(Code.UNAUTHENTICATED, "API_KEY_REVOKED", "This API key was revoked; make a new one.")


class ApiKeyNotFound(AppError):
    """Raised when there is no such key among those that the caller may see or change."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "API_KEY_NOT_FOUND", "There is no such API key among yours.")


class ApiKeyLimitReached(AppError):
    """Raised when a user has as many keys as one may have."""

    def __init__(self, most: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "API_KEY_LIMIT_REACHED",
            f"You have {most} API keys, which is the most; revoke those that nobody uses.",
            metadata={"limit": str(most)},
        )


class ScopeNotGranted(AppError):
    """Raised when somebody would give a key a scope that is not theirs to give."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "SCOPE_NOT_GRANTED",
            f"The scope {scope} is not yours to give; ask an administrator of the tenant.",
            metadata={"scope": scope},
        )


class OnBehalfOfNotAllowed(AppError):
    """Raised when a call says on whose behalf it is made, with a credential that may not."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "ON_BEHALF_OF_NOT_ALLOWED",
            "Only an API key that was made with is_on_behalf_of_allowed may act on behalf of somebody.",
        )


class InvalidOnBehalfOf(AppError):
    """Raised when the name of an end user is none."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            "INVALID_ON_BEHALF_OF",
            "Name one end user, by 1 to 128 letters, digits and any of . _ : @ + = | -.",
        )


class InvalidTenantHeader(AppError):
    """Raised when the header that selects a tenant came twice or is no UUID."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT, "INVALID_TENANT_HEADER", "Name one tenant by its tenant_id, a UUID, or leave it out."
        )
