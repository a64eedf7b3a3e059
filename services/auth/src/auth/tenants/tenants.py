"""Tenants: made, renamed and chosen to work in."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from auth.accounts.homes import describe_tenant, require_usable, store_tenant
from auth.accounts.names import clean_name
from auth.accounts.sessions import Sessions
from auth.errors.accounts import TenantNotFound, UserGone
from auth.model.accounts import Client, Me, Membership, Tenant, Tokens
from auth.model.tenants import Caller
from auth.ports.accounts import AccountStore
from auth.ports.tenants import TenantStore
from auth.tenants.acts import describe_act, require_own_tenant
from servicekit.errors import FieldViolation, InvalidField

# As many as a list of one's memberships shows.
MOST_TENANTS = 100


@dataclass(frozen=True)
class Tenants:
    """Makes tenants, shows and renames the token's, and starts sessions in others of the caller's."""

    store: TenantStore
    accounts: AccountStore
    sessions: Sessions
    clock: Callable[[], datetime]

    async def create(self, caller: Caller, display_name: str) -> Tenant:
        """Makes a tenant that the caller owns. Raises InvalidField, TooManyTenants."""
        draft = describe_tenant(require_name(display_name, "display_name"), self.clock())
        act = describe_act(caller, "tenant.create", draft.create_time)
        event = replace(act, tenant_id=draft.tenant_id)
        return await store_tenant(draft, lambda each: self.store.create(each, caller.user_id, event, most=MOST_TENANTS))

    async def list_own(self, caller: Caller) -> tuple[Membership, ...]:
        """Returns the caller's memberships, oldest first, 100 at most. Raises UserGone."""
        return (await self._describe_caller(caller)).memberships

    async def get(self, caller: Caller, tenant_id: str) -> Tenant:
        """Returns the token's tenant. Raises TenantNotFound."""
        require_own_tenant(caller, tenant_id)
        return require_tenant(await self.store.find(tenant_id))

    async def rename(self, caller: Caller, tenant_id: str, display_name: str) -> Tenant:
        """Gives the token's tenant another name. Raises TenantNotFound, InvalidField."""
        require_own_tenant(caller, tenant_id)
        name = require_name(display_name, "tenant.display_name")
        event = describe_act(caller, "tenant.update", self.clock())
        return require_tenant(await self.store.rename(tenant_id, name, event))

    async def select(self, caller: Caller, tenant_id: str, client: Client) -> Tokens:
        """Starts a session in one of the caller's tenants. Raises TenantNotFound, TenantSuspended, UserDeactivated."""
        membership = await self.find_usable(caller.user_id, tenant_id)
        return await self.sessions.open((await self._describe_caller(caller)).user, membership, client)

    async def _describe_caller(self, caller: Caller) -> Me:
        me = await self.accounts.find_me(caller.user_id)
        if me is None:
            raise UserGone
        return me

    async def find_usable(self, user_id: str, tenant_id: str) -> Membership:
        """Returns what a user is in a tenant in which the user may work now.

        Raises TenantNotFound, TenantSuspended, UserDeactivated.
        """
        membership = await self.accounts.find_membership(user_id, tenant_id)
        if membership is None:
            raise TenantNotFound
        require_usable(membership)
        return membership


def require_name(display_name: str, field: str) -> str:
    """Returns a name as it is stored. Raises InvalidField where nothing of it can be shown."""
    name = clean_name(display_name)
    if not name:
        raise InvalidField(FieldViolation(field, "must have a character that can be seen"))
    return name


def require_tenant(tenant: Tenant | None) -> Tenant:
    """Returns a tenant that was found. Raises TenantNotFound."""
    if tenant is None:
        raise TenantNotFound
    return tenant
