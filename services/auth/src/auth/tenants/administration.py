"""What the operating company does, each act with its audit event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from auth.accounts.homes import describe_tenant, store_tenant
from auth.accounts.names import normalise_email
from auth.errors.tenants import UserNotFound
from auth.model.accounts import Tenant, User
from auth.model.billing import Subscription
from auth.model.tenants import AuditEvent, Caller, Erasure, Invitation, NamedEvent, PageKey
from auth.ports.tenants import AuditStore, KeyRotation, PlanAssignment, ProfileStore, TenantStore
from auth.tenants.acts import describe_act
from auth.tenants.erasures import Erasures
from auth.tenants.invitations import Invitations
from auth.tenants.tenants import require_name, require_tenant
from servicekit.identity import Role


@dataclass(frozen=True)
class Administration:
    """Manages all tenants and users. Whoever calls is staff, which the RPC edge has seen to."""

    tenants: TenantStore
    profiles: ProfileStore
    audit: AuditStore
    invitations: Invitations
    erasures: Erasures
    keys: KeyRotation
    plans: PlanAssignment
    clock: Callable[[], datetime]

    async def create_tenant(self, caller: Caller, display_name: str, owner_email: str) -> tuple[Tenant, Invitation]:
        """Makes a tenant without members and invites its owner. Raises InvalidField."""
        draft = describe_tenant(require_name(display_name, "display_name"), self.clock())
        event = self._describe(caller, "tenant.create", tenant_id=draft.tenant_id)
        tenant = await store_tenant(draft, lambda each: self.tenants.create_unowned(each, event))
        invite = self._describe(caller, "invitation.create", tenant_id=tenant.tenant_id)
        return tenant, await self.invitations.send(invite, tenant.tenant_id, owner_email, Role.OWNER)

    async def list_tenants(self, caller: Caller, limit: int, before: PageKey | None) -> Sequence[Tenant]:
        """Returns at most `limit` tenants, newest first."""
        await self.audit.add(self._describe(caller, "tenant.list"))
        return await self.tenants.list_page(limit, before)

    async def suspend_tenant(self, caller: Caller, tenant_id: str) -> Tenant:
        """Closes a tenant and ends its sessions. Raises TenantNotFound."""
        event = self._describe(caller, "tenant.suspend", tenant_id=tenant_id)
        return require_tenant(await self.tenants.suspend(tenant_id, event, event.create_time))

    async def resume_tenant(self, caller: Caller, tenant_id: str) -> Tenant:
        """Opens a tenant. Raises TenantNotFound."""
        event = self._describe(caller, "tenant.resume", tenant_id=tenant_id)
        return require_tenant(await self.tenants.resume(tenant_id, event))

    async def set_plan(self, caller: Caller, tenant_id: str, plan_id: str) -> Subscription:
        """Gives a tenant a plan. Raises TenantNotFound, PlanNotFound."""
        event = self._describe(caller, "tenant.set-plan", tenant_id=tenant_id)
        # Written down first, like everything that is done in another step.
        await self.audit.add(event)
        return await self.plans.assign(tenant_id, plan_id, event.create_time)

    async def erase_tenant(self, caller: Caller, tenant_id: str) -> Erasure:
        """Begins to erase a tenant, which need not exist any more."""
        event = self._describe(caller, "tenant.erase", tenant_id=tenant_id)
        return await self.erasures.begin_tenant(tenant_id, event)

    async def find_users(self, caller: Caller, email: str) -> Sequence[User]:
        """Returns the users of an address."""
        await self.audit.add(self._describe(caller, "user.find"))
        return await self.profiles.find_by_email(normalise_email(email))

    async def set_user_active(self, caller: Caller, user_id: str, *, is_active: bool) -> User:
        """Lets a user in or out. Raises UserNotFound, LastOwner."""
        event = self._describe(caller, "user.reactivate" if is_active else "user.deactivate", target_id=user_id)
        user = await self.profiles.set_active(user_id, event, event.create_time, is_active=is_active)
        if user is None:
            raise UserNotFound
        return user

    async def erase_user(self, caller: Caller, user_id: str) -> Erasure:
        """Begins to erase a user, who need not exist any more. Raises LastOwner."""
        return await self.erasures.begin_user(user_id, self._describe(caller, "user.erase", target_id=user_id))

    async def list_events(
        self, caller: Caller, tenant_id: str, limit: int, before: PageKey | None
    ) -> Sequence[NamedEvent]:
        """Returns at most `limit` audit events of a tenant, or of all and none, newest first."""
        await self.audit.add(self._describe(caller, "audit.list", tenant_id=tenant_id))
        if tenant_id:
            return await self.audit.list_page(tenant_id, limit, before)
        return await self.audit.list_all(limit, before)

    async def rotate_keys(self, caller: Caller) -> tuple[str, datetime]:
        """Makes the next signing key; returns its id and when it begins to sign. Raises RotationUnderWay."""
        event = self._describe(caller, "keys.rotate")
        # Written down first: a key that nobody is known to have made would be worse than an event without a key.
        await self.audit.add(event)
        return await self.keys.rotate(event.create_time)

    def _describe(self, caller: Caller, action: str, *, tenant_id: str = "", target_id: str = "") -> AuditEvent:
        return replace(describe_act(caller, action, self.clock(), target_id), tenant_id=tenant_id)


async def appoint_staff(profiles: ProfileStore, email: str, clock: Callable[[], datetime], *, is_staff: bool) -> int:
    """Makes whoever has verified an address staff, or not; the decision of whoever operates the machine.

    Returns how many users that were. Raises UserNotFound.
    """
    now = clock()
    event = AuditEvent(now, "staff.appoint" if is_staff else "staff.dismiss", "OPERATOR")
    count = await profiles.set_staff(normalise_email(email), event, now, is_staff=is_staff)
    if not count:
        raise UserNotFound("No user has verified this address; log in with a mailed code first.")
    return count
