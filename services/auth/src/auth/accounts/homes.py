"""The tenant a user works in: one of the memberships, or a new one of one's own."""

import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from auth.accounts.names import clean_name, make_slug
from auth.errors.accounts import SlugTaken, TenantNotFound, TenantSuspended, UserDeactivated
from auth.model.accounts import Membership, Tenant, User
from auth.ports.accounts import AccountStore
from servicekit.identity import Role

SLUG_SUFFIX_BYTES = 4


def describe_tenant(display_name: str, now: datetime) -> Tenant:
    """Returns a tenant to store, with a new id and a slug made from its name; the name is empty if nothing is left."""
    name = clean_name(display_name)
    return Tenant(str(uuid.uuid4()), make_slug(name), name, now)


async def store_tenant(tenant: Tenant, store: Callable[[Tenant], Awaitable[None]]) -> Tenant:
    """Stores a tenant and returns it; its slug gets a random end if another tenant has it."""
    try:
        await store(tenant)
    except SlugTaken:
        # 32 random bits: a second collision is an accident worth an INTERNAL error, not a loop.
        tenant = replace(tenant, slug=add_suffix(tenant.slug))
        await store(tenant)
    return tenant


def add_suffix(slug: str) -> str:
    """Returns the slug with a random end."""
    return f"{slug}-{secrets.token_hex(SLUG_SUFFIX_BYTES)}"


async def find_home(accounts: AccountStore, user: User, tenant_id: str, now: datetime) -> Membership:
    """Returns what the user is in the tenant asked for, or in the oldest one that is open to the user.

    Who is no member of any tenant, having left or been removed, gets a new one.
    Raises TenantNotFound.
    """
    membership = await accounts.find_membership(user.user_id, tenant_id)
    if membership is not None:
        return membership
    if tenant_id:
        raise TenantNotFound
    tenant = await store_tenant(describe_tenant(user.display_name, now), lambda each: accounts.add_tenant(user, each))
    return Membership(tenant, Role.OWNER)


def require_usable(membership: Membership) -> None:
    """Raises TenantSuspended or UserDeactivated where nobody, or not this user, may work in the tenant now."""
    if membership.tenant.suspend_time is not None:
        raise TenantSuspended
    if not membership.is_active:
        raise UserDeactivated
