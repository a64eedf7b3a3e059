"""Signing up: a user, and a tenant that the user owns."""

import secrets
import uuid
from dataclasses import replace

from auth.accounts.names import clean_name, make_slug, normalise_email
from auth.accounts.passwords import check_guesses, check_password, normalise_password
from auth.accounts.sessions import open_session
from auth.errors import SlugTaken
from auth.model import Membership, Registration, SignedUp, Tenant, User
from auth.ports import Needs
from servicekit.identity import Role

SLUG_SUFFIX_BYTES = 4


async def sign_up(needs: Needs, registration: Registration) -> SignedUp:
    """Creates user, tenant and session. Raises WeakPassword or EmailTaken."""
    email = normalise_email(registration.email)
    password = normalise_password(registration.password)
    check_password(password, email)
    await check_guesses(needs.guesses, password, email, registration.display_name, registration.tenant_name)
    # Hashed before anyone looks whether the address is taken, so that both answers take as long.
    password_hash = await needs.passwords.hash(password)
    user, tenant = describe(needs, registration, email)
    tenant = await store(needs, user, password_hash, tenant)
    tokens = await open_session(needs, user.user_id, Membership(tenant, Role.OWNER))
    return SignedUp(user, tenant, tokens)


def describe(needs: Needs, registration: Registration, email: str) -> tuple[User, Tenant]:
    """Returns the user and the tenant to create; names left empty come from what is known."""
    now = needs.clock()
    display_name = clean_name(registration.display_name) or email.partition("@")[0]
    tenant_name = clean_name(registration.tenant_name) or display_name
    user = User(str(uuid.uuid4()), email, display_name, now)
    return user, Tenant(str(uuid.uuid4()), make_slug(tenant_name), tenant_name, now)


async def store(needs: Needs, user: User, password_hash: str, tenant: Tenant) -> Tenant:
    """Stores both and returns the tenant, whose slug got a random end if another tenant has it."""
    try:
        await needs.accounts.create(user, password_hash, tenant)
    except SlugTaken:
        # 32 random bits: a second collision is an accident worth an INTERNAL error, not a loop.
        tenant = replace(tenant, slug=f"{tenant.slug}-{secrets.token_hex(SLUG_SUFFIX_BYTES)}")
        await needs.accounts.create(user, password_hash, tenant)
    return tenant
