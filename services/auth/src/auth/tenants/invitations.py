"""Invitations: sent by mail, good for a week and for one use."""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.accounts.names import normalise_email
from auth.errors.accounts import TenantNotFound
from auth.model.accounts import Membership
from auth.model.tenants import AuditEvent, Caller, Invitation, InvitationLetter, PageKey
from auth.ports.tenants import InvitationStore, TenantStore
from auth.tenants.acts import describe_act, require_own_tenant
from auth.tenants.tenants import MOST_TENANTS
from servicekit.identity import Role

GOOD_FOR = timedelta(days=7)
MOST_A_DAY = 100
TOKEN_BYTES = 32


@dataclass(frozen=True)
class Invitations:
    """Asks people into the token's tenant, and takes in who comes."""

    store: InvitationStore
    tenants: TenantStore
    clock: Callable[[], datetime]

    async def create(self, caller: Caller, tenant_id: str, email: str, role: Role) -> Invitation:
        """Invites an address.

        Raises TenantNotFound, AlreadyMember, RoleNotAllowed, TooManyInvitations.
        """
        require_own_tenant(caller, tenant_id)
        event = describe_act(caller, "invitation.create", self.clock())
        return await self.send(event, tenant_id, email, role, inviter_user_id=caller.user_id)

    async def send(
        self, event: AuditEvent, tenant_id: str, email: str, role: Role, *, inviter_user_id: str = ""
    ) -> Invitation:
        """Invites an address on whoever's behalf the event names."""
        tenant = await self.tenants.find(tenant_id)
        if tenant is None:
            raise TenantNotFound
        now, token = event.create_time, secrets.token_urlsafe(TOKEN_BYTES)
        invitation = Invitation(
            invitation_id=str(uuid.uuid4()),
            tenant_id=tenant_id,
            email=normalise_email(email),
            role=role,
            inviter_user_id=inviter_user_id,
            create_time=now,
            expire_time=now + GOOD_FOR,
        )
        letter = InvitationLetter(invitation.email, tenant.display_name, role, invitation.expire_time, token)
        await self.store.create(invitation, hash_invitation(token), letter, event, most=MOST_A_DAY)
        return invitation

    async def list_page(
        self, caller: Caller, tenant_id: str, limit: int, before: PageKey | None
    ) -> Sequence[Invitation]:
        """Returns at most `limit` open invitations, newest first. Raises TenantNotFound."""
        require_own_tenant(caller, tenant_id)
        return await self.store.list_page(tenant_id, self.clock(), limit, before)

    async def revoke(self, caller: Caller, tenant_id: str, invitation_id: str) -> None:
        """Voids an open invitation. Raises TenantNotFound, InvitationNotFound, RoleNotAllowed."""
        require_own_tenant(caller, tenant_id)
        now = self.clock()
        event = describe_act(caller, "invitation.revoke", now, invitation_id)
        await self.store.revoke(tenant_id, invitation_id, event, now)

    async def accept(self, caller: Caller, token: str) -> Membership:
        """Makes the caller a member.

        Raises InvitationNotFound, InvitationForOtherAddress, AlreadyMember, TooManyTenants, TenantSuspended.
        """
        now = self.clock()
        event = describe_act(caller, "invitation.accept", now)
        return await self.store.accept(hash_invitation(token), caller.user_id, event, now, most=MOST_TENANTS)


def hash_invitation(token: str) -> str:
    """Returns SHA-256 in hex; 256 random bits need neither salt nor slowness."""
    return hashlib.sha256(token.encode()).hexdigest()
