"""What the flows of tenants, members, the audit log and erasures need from outside."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from auth.model.accounts import Client, Membership, Tenant, User
from auth.model.billing import Subscription
from auth.model.tenants import (
    AuditEvent,
    Erasure,
    Invitation,
    InvitationLetter,
    Member,
    NamedEvent,
    PageKey,
    Standing,
)
from servicekit.erasure import Erased, Subject

Decide = Callable[[Standing], Member | None]
"""Returns the member as it shall be, None for one that shall be none any more; what it raises leaves all as it was."""


class ProfileStore(Protocol):
    """What users say about themselves, and whether they may log in."""

    async def update(self, user_id: str, values: Mapping[str, str]) -> User | None:
        """Changes fields of a user and returns the user. Raises UsernameTaken."""
        ...

    async def find_by_email(self, email: str) -> Sequence[User]:
        """Returns the users of an address in lower case, at most 100."""
        ...

    async def set_active(self, user_id: str, event: AuditEvent, now: datetime, *, is_active: bool) -> User | None:
        """Lets a user in or out, with an audit event; out ends all sessions. Raises LastOwner."""
        ...

    async def set_staff(self, email: str, event: AuditEvent, now: datetime, *, is_staff: bool) -> int:
        """Makes whoever has proven an address staff, or not: that ends the sessions as staff. Returns how many."""
        ...


class TenantStore(Protocol):
    """Tenants."""

    async def create(self, tenant: Tenant, owner_user_id: str, event: AuditEvent, *, most: int) -> None:
        """Stores a tenant with its owner and an audit event. Raises SlugTaken, TooManyTenants beyond `most`."""
        ...

    async def create_unowned(self, tenant: Tenant, event: AuditEvent) -> None:
        """Stores a tenant that nobody is a member of. Raises SlugTaken."""
        ...

    async def find(self, tenant_id: str) -> Tenant | None:
        """Returns a tenant."""
        ...

    async def rename(self, tenant_id: str, display_name: str, event: AuditEvent) -> Tenant | None:
        """Gives a tenant another name, with an audit event."""
        ...

    async def suspend(self, tenant_id: str, event: AuditEvent, now: datetime) -> Tenant | None:
        """Closes a tenant and ends its sessions, with an audit event; one that is closed stays as it is."""
        ...

    async def resume(self, tenant_id: str, event: AuditEvent) -> Tenant | None:
        """Opens a tenant, with an audit event; one that is open stays as it is."""
        ...

    async def list_page(self, limit: int, before: PageKey | None) -> Sequence[Tenant]:
        """Returns at most `limit` of all tenants, newest first, that are older than `before`."""
        ...


class MemberStore(Protocol):
    """Who is in a tenant. Every change locks the tenant, so that the last owner is judged by one at a time."""

    async def list_page(self, tenant_id: str, limit: int, after: PageKey | None) -> Sequence[Member]:
        """Returns at most `limit` members, oldest first, that came after `after`."""
        ...

    async def change(
        self, tenant_id: str, user_id: str, decide: Decide, event: AuditEvent, now: datetime
    ) -> Member | None:
        """Changes or removes a member as `decide` says, ends the sessions and adds an audit event.

        The event gets the role before and after. Raises MemberNotFound and what `decide` raises.
        """
        ...


class InvitationStore(Protocol):
    """Who is asked into a tenant."""

    async def create(
        self, invitation: Invitation, token_hash: str, letter: InvitationLetter, event: AuditEvent, *, most: int
    ) -> None:
        """Stores an invitation, voids the address's earlier one and queues the letter, all or nothing.

        Raises AlreadyMember, RoleNotAllowed where an owner is invited by somebody who is none, and
        TooManyInvitations for more than `most` in the 24 hours before.
        """
        ...

    async def list_page(
        self, tenant_id: str, now: datetime, limit: int, before: PageKey | None
    ) -> Sequence[Invitation]:
        """Returns at most `limit` open invitations, newest first, that are older than `before`."""
        ...

    async def revoke(self, tenant_id: str, invitation_id: str, event: AuditEvent, now: datetime) -> None:
        """Voids an open invitation, with an audit event. Raises InvitationNotFound, RoleNotAllowed."""
        ...

    async def accept(self, token_hash: str, user_id: str, event: AuditEvent, now: datetime, *, most: int) -> Membership:
        """Makes a user a member by an open invitation, once. The event gets the tenant and the role.

        Raises InvitationNotFound, InvitationForOtherAddress, AlreadyMember, TooManyTenants.
        """
        ...


class AuditStore(Protocol):
    """The audit log; whoever changes something adds its event in the same transaction."""

    async def add(self, event: AuditEvent) -> None:
        """Adds the event of an act by staff that changes nothing."""
        ...

    async def list_page(self, tenant_id: str, limit: int, before: PageKey | None) -> Sequence[NamedEvent]:
        """Returns at most `limit` events of a tenant, newest first, that are older than `before`."""
        ...

    async def list_all(self, limit: int, before: PageKey | None) -> Sequence[NamedEvent]:
        """Returns the same of all tenants and of none, without names."""
        ...


class ErasureStore(Protocol):
    """Erasures and how far they are."""

    async def begin_user(self, erasure: Erasure, event: AuditEvent, now: datetime) -> Erasure:
        """Ends all of a user's sessions for good and stores the erasure.

        The tenants that only the user is a member of go along. Raises LastOwner
        where another member would be left without an owner.
        """
        ...

    async def begin_tenant(self, erasure: Erasure, event: AuditEvent, now: datetime) -> Erasure:
        """Closes the tenants, ends their sessions and stores the erasure."""
        ...

    async def find(self, erasure_id: str) -> Erasure | None:
        """Returns an erasure."""
        ...

    async def claim(self, now: datetime, until: datetime) -> Erasure | None:
        """Returns one that is due and puts it off until then, so that nobody else takes it; None if none is due."""
        ...

    async def note(self, erasure_id: str, service: str, counts: Mapping[str, int], until: datetime) -> None:
        """Adds what a service has removed, and puts the erasure off until then."""
        ...

    async def save(self, erasure: Erasure) -> None:
        """Stores state, pending services, failures and times of an erasure; its counts stay as they were noted."""
        ...


class Eraser(Protocol):
    """A service that erases its part: one method, whatever the service."""

    @property
    def service(self) -> str:
        """The service's name."""
        ...

    async def erase(self, subject: Subject) -> Erased:
        """Does a bounded part of the work and says whether there is more. Raises AppError."""
        ...


class Confirmation(Protocol):
    """Proves that whoever asks for what cannot be undone is the user."""

    async def confirm(self, user_id: str, password: str, client: Client) -> None:
        """Raises WrongPassword for a wrong password, TooManyAttempts or AddressLocked for too many."""
        ...

    async def find_session_start(self, user_id: str, session_id: str) -> datetime | None:
        """Returns when a session of the user began."""
        ...


class PlanAssignment(Protocol):
    """What tenants have of the price list."""

    async def assign(self, tenant_id: str, plan_id: str, now: datetime) -> Subscription:
        """Gives a tenant a plan, until something newer is known of it. Raises TenantNotFound, PlanNotFound."""
        ...


class KeyRotation(Protocol):
    """Exchanges the key that tokens are signed with."""

    async def rotate(self, now: datetime) -> tuple[str, datetime]:
        """Makes the next key; returns its id and when it begins to sign. Raises RotationUnderWay."""
        ...
