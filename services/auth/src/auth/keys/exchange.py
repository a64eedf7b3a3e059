"""Trading what came to the gateway, an API key or a selected tenant, for an access token."""

import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

from auth.accounts.homes import require_usable as require_open
from auth.errors.accounts import TenantNotFound
from auth.errors.keys import (
    ApiKeyExpired,
    ApiKeyInvalid,
    ApiKeyRevoked,
    InvalidOnBehalfOf,
    InvalidTenantHeader,
    OnBehalfOfNotAllowed,
)
from auth.keys.secrets import END_USER, hash_secret, is_secret, name_end_user
from auth.keys.uses import LastUses
from auth.model.keys import ApiKey, ExchangeLifetimes, Grant
from auth.ports.accounts import PlanLimits, TokenSigner
from auth.ports.keys import ApiKeyStore, Memberships, TokenJudge
from servicekit.errors import AppError
from servicekit.identity import Principal, Role, Scope
from servicekit.recent import Recent
from servicekit.tokens import Revocations, TokenInvalid

# About 2 KB each: an end to what the process can be filled with.
MAX_REMEMBERED = 4096
Find = Callable[[], Awaitable[Grant]]


class Signed(NamedTuple):
    """A grant as a token, and when the token is to be signed again."""

    grant: Grant
    token: str
    renew_time: datetime


class Renewal:
    """Signs a grant, and goes on with the same token for as long as the grant says the same.

    Services remember the tokens they have verified; a new one each time would cost them that.
    """

    def __init__(
        self, find: Find, tokens: TokenSigner, clock: Callable[[], datetime], lifetimes: ExchangeLifetimes
    ) -> None:
        self._find = find
        self._tokens = tokens
        self._clock = clock
        self._lifetimes = lifetimes
        self._last: Signed | None = None

    async def __call__(self) -> Signed:
        """Returns the grant of this moment with its token. Raises what finding it raises."""
        grant, now = await self._find(), self._clock()
        if self._last is None or self._last.grant != grant or self._last.renew_time <= now:
            self._last = self._sign(grant, now)
        return self._last

    def _sign(self, grant: Grant, now: datetime) -> Signed:
        latest = now + self._lifetimes.token
        expire_time = min(latest, grant.end_time) if grant.end_time else latest
        claims = {name: value for name, value in vars(grant).items() if name != "end_time"}
        return Signed(
            grant, self._tokens.sign(**claims, now=now, expire_time=expire_time), now + (expire_time - now) / 2
        )


@dataclass(frozen=True)
class Exchange:
    """Trades API keys and selected tenants for tokens; what they rest on is looked at again every few seconds."""

    keys: ApiKeyStore
    members: Memberships
    limits: PlanLimits
    tokens: TokenSigner
    judge: TokenJudge
    revoked: Revocations
    uses: LastUses
    clock: Callable[[], datetime]
    lifetimes: ExchangeLifetimes = field(default_factory=ExchangeLifetimes)
    remembered: OrderedDict[tuple[str, ...], Recent[Signed]] = field(default_factory=OrderedDict)

    async def trade(self, credential: str, tenant_ids: tuple[str, ...], end_users: tuple[str, ...]) -> str:
        """Returns the access token that a request goes on with. Raises AppError for whatever is not good.

        `tenant_ids` and `end_users` are the values of the headers that select a
        tenant and name an end user: none, or one each.
        """
        tenant_id, end_user = read_tenant(tenant_ids), read_end_user(end_users)
        if is_secret(credential):
            return await self._trade_key(credential, tenant_id, end_user)
        if end_user:
            raise OnBehalfOfNotAllowed
        return await self._trade_token(credential, tenant_id)

    async def _trade_key(self, secret: str, tenant_id: str, end_user: str) -> str:
        secret_hash = hash_secret(secret)
        if secret_hash is None:
            raise ApiKeyInvalid
        found = await self._recall(("key", secret_hash, end_user), partial(self._find_key, secret_hash, end_user))
        if await self.revoked.includes(found.grant.session_id):
            raise ApiKeyRevoked
        if tenant_id not in {"", found.grant.tenant_id}:
            raise TenantNotFound
        return found.token

    async def _trade_token(self, token: str, tenant_id: str) -> str:
        # Here as well, whatever is remembered: a session that has ended selects nothing.
        caller = await self.judge.verify(token)
        if tenant_id in {"", caller.tenant_id}:
            return token
        if caller.is_service or caller.api_key_id:
            raise TokenInvalid
        slot = ("token", hashlib.sha256(token.encode()).hexdigest(), tenant_id)
        return (await self._recall(slot, partial(self._find_member, caller, tenant_id))).token

    async def _recall(self, slot: tuple[str, ...], find: Find) -> Signed:
        recent = self.remembered.pop(slot, None)
        if recent is None:
            renewal = Renewal(find, self.tokens, self.clock, self.lifetimes)
            recent = Recent(renewal, self.lifetimes.check.total_seconds())
        self.remembered[slot] = recent
        if len(self.remembered) > MAX_REMEMBERED:
            self.remembered.popitem(last=False)
        try:
            return await recent.get()
        except AppError:
            # Keys that nobody has must not push out those that are in use.
            if self.remembered.get(slot) is recent:
                del self.remembered[slot]
            raise

    async def _find_key(self, secret_hash: str, end_user: str) -> Grant:
        key, now = await self.keys.find_by_secret(secret_hash), self.clock()
        if key is None:
            raise ApiKeyInvalid
        end_time = require_usable(key, secret_hash, now)
        membership = await self.members.find_membership(key.user_id, key.tenant_id)
        if membership is None:
            raise ApiKeyRevoked
        require_open(membership)
        if end_user and not key.is_on_behalf_of_allowed:
            raise OnBehalfOfNotAllowed
        self.uses.note(key, now)
        scopes = key.scopes - {Scope.ADMIN} if end_user else key.scopes
        return Grant(
            subject=name_end_user(key.tenant_id, end_user) if end_user else key.user_id,
            tenant_id=key.tenant_id,
            # Only the scope brings an administrator's rights: flows that ask for the role alone must hear of it.
            role=membership.role if Scope.ADMIN in scopes else Role.MEMBER,
            session_id=key.api_key_id,
            end_time=end_time,
            scopes=scopes,
            api_key_id=key.api_key_id,
            requests_per_minute=await self.limits.find(key.tenant_id),
        )

    async def _find_member(self, caller: Principal, tenant_id: str) -> Grant:
        membership = await self.members.find_membership(caller.subject, tenant_id)
        if membership is None:
            raise TenantNotFound
        require_open(membership)
        return Grant(
            subject=caller.subject,
            tenant_id=tenant_id,
            role=membership.role,
            session_id=caller.session_id,
            end_time=caller.expires_at,
            requests_per_minute=await self.limits.find(tenant_id),
        )


def require_usable(key: ApiKey, secret_hash: str, now: datetime) -> datetime | None:
    """Returns when the secret ends, None for never. Raises ApiKeyRevoked or ApiKeyExpired."""
    if key.revoke_time is not None:
        raise ApiKeyRevoked
    ends = [key.expire_time, key.previous_expire_time if secret_hash == key.previous_hash else None]
    end_time = min((end for end in ends if end is not None), default=None)
    if end_time is not None and end_time <= now:
        raise ApiKeyExpired
    return end_time


def read_tenant(tenant_ids: tuple[str, ...]) -> str:
    """Returns the selected tenant's id in its one form, empty for none. Raises InvalidTenantHeader."""
    if not tenant_ids:
        return ""
    (first, *more) = tenant_ids
    try:
        found = str(uuid.UUID(first))
    except ValueError as error:
        raise InvalidTenantHeader from error
    # UUID reads braces and missing hyphens too; ids have one form.
    if more or found != first.lower():
        raise InvalidTenantHeader
    return found


def read_end_user(end_users: tuple[str, ...]) -> str:
    """Returns the end user's name, empty for none. Raises InvalidOnBehalfOf."""
    if not end_users:
        return ""
    if len(end_users) > 1 or not END_USER.fullmatch(end_users[0]):
        raise InvalidOnBehalfOf
    return end_users[0]
