"""The errors that the flows of tenants, members and erasures raise."""

from servicekit.errors import AppError, Code


class RoleNotAllowed(AppError):
    """Raised when a caller may not give, change or take a role."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "ROLE_NOT_ALLOWED",
            "Your role does not allow this; ask an owner of the tenant.",
        )


class LastOwner(AppError):
    """Raised when a tenant would be without an owner who may work in it."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            "LAST_OWNER",
            "The tenant would be without an owner; make somebody else owner first, or erase the tenant.",
        )


class MemberNotFound(AppError):
    """Raised when a user is no member of the tenant."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "MEMBER_NOT_FOUND", "The tenant has no such member.")


class AlreadyMember(AppError):
    """Raised when somebody who is a member is asked in, or comes in, once more."""

    def __init__(self) -> None:
        super().__init__(Code.ALREADY_EXISTS, "ALREADY_MEMBER", "This user is a member of the tenant already.")


class InvitationNotFound(AppError):
    """Raised for an invitation that is unknown, used, revoked or expired, whichever it is."""

    def __init__(self) -> None:
        super().__init__(
            Code.NOT_FOUND,
            "INVITATION_NOT_FOUND",
            "There is no such open invitation; it may be used or expired. Ask for a new one.",
        )


class InvitationForOtherAddress(AppError):
    """Raised when an invitation is accepted by somebody it was not sent to."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            "INVITATION_FOR_OTHER_ADDRESS",
            "This invitation was sent to another address; log in with that one to accept it.",
        )


class TooManyInvitations(AppError):
    """Raised when a tenant has sent as many invitations as it may in a day."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_INVITATIONS",
            f"The tenant has sent {limit} invitations in 24 hours; send the next ones later.",
            retry_after_seconds=3600,
        )


class TooManyTenants(AppError):
    """Raised when a user is a member of as many tenants as one may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            "TOO_MANY_TENANTS",
            f"A user may be a member of {limit} tenants; leave one first.",
        )


class UsernameTaken(AppError):
    """Raised when another user has the username."""

    def __init__(self) -> None:
        super().__init__(Code.ALREADY_EXISTS, "USERNAME_TAKEN", "Another user has this username; choose another.")


class ConfirmationRequired(AppError):
    """Raised when what cannot be undone is asked for without the proof that it is meant."""

    def __init__(self, what: str) -> None:
        super().__init__(Code.FAILED_PRECONDITION, "CONFIRMATION_REQUIRED", f"This cannot be undone: {what}.")


class UserNotFound(AppError):
    """Raised when staff name a user who does not exist."""

    def __init__(self, message: str = "There is no such user.") -> None:
        super().__init__(Code.NOT_FOUND, "USER_NOT_FOUND", message)


class ErasureNotFound(AppError):
    """Raised when no erasure has the id."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, "ERASURE_NOT_FOUND", "There is no such erasure.")
