"""Members of a tenant: listed, changed, removed, gone by themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from auth.errors.tenants import MemberNotFound
from auth.model.tenants import Caller, Member, PageKey
from auth.ports.tenants import MemberStore
from auth.tenants.acts import describe_act, require_own_tenant
from auth.tenants.roles import decide_departure, decide_removal, decide_update
from servicekit.identity import Role


@dataclass(frozen=True)
class Members:
    """Manages who is in the token's tenant; the roles are judged as they are at that moment."""

    store: MemberStore
    clock: Callable[[], datetime]

    async def list_page(self, caller: Caller, tenant_id: str, limit: int, after: PageKey | None) -> Sequence[Member]:
        """Returns at most `limit` members, oldest first. Raises TenantNotFound."""
        require_own_tenant(caller, tenant_id)
        return await self.store.list_page(tenant_id, limit, after)

    async def update(
        self, caller: Caller, tenant_id: str, user_id: str, *, role: Role | None, is_active: bool | None
    ) -> Member:
        """Changes what a member may do; None leaves it as it is.

        Raises TenantNotFound, MemberNotFound, RoleNotAllowed, LastOwner.
        """
        require_own_tenant(caller, tenant_id)
        now = self.clock()
        event = describe_act(caller, "member.update", now, user_id)
        decide = decide_update(role, is_active=is_active)
        member = await self.store.change(tenant_id, user_id, decide, event, now)
        if member is None:
            raise MemberNotFound
        return member

    async def remove(self, caller: Caller, tenant_id: str, user_id: str) -> None:
        """Ends a membership. Raises TenantNotFound, MemberNotFound, RoleNotAllowed, LastOwner."""
        require_own_tenant(caller, tenant_id)
        now = self.clock()
        event = describe_act(caller, "member.remove", now, user_id)
        await self.store.change(tenant_id, user_id, decide_removal, event, now)

    async def leave(self, caller: Caller, tenant_id: str) -> None:
        """Ends the caller's own membership. Raises TenantNotFound, MemberNotFound, LastOwner."""
        require_own_tenant(caller, tenant_id)
        now = self.clock()
        event = describe_act(caller, "member.leave", now, caller.user_id)
        await self.store.change(tenant_id, caller.user_id, decide_departure, event, now)
