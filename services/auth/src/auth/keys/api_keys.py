"""API keys: who may make, see, rotate and revoke them."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auth.errors.keys import ApiKeyNotFound, ScopeNotGranted
from auth.keys.secrets import hash_secret, make_prefix, make_secret
from auth.model.keys import ApiKey, ApiKeyDraft, IssuedApiKey
from auth.ports.keys import ApiKeyStore
from servicekit.identity import Principal, Scope

MOST_KEYS = 100
# Longer than any token that was traded for a key is good, so that its end has been announced everywhere.
KEEP_ENDED = timedelta(days=1)


@dataclass(frozen=True)
class ApiKeys:
    """Manages the keys of the caller's tenant: members their own, tenant admins all."""

    store: ApiKeyStore
    clock: Callable[[], datetime]

    async def create(self, caller: Principal, draft: ApiKeyDraft) -> IssuedApiKey:
        """Makes a key that acts as the caller. Raises ScopeNotGranted or ApiKeyLimitReached."""
        require_grantable(caller, draft.scopes)
        now, api_key_id = self.clock(), str(uuid.uuid4())
        prefix = make_prefix(api_key_id)
        secret = make_secret(prefix)
        key = ApiKey(
            api_key_id=api_key_id,
            tenant_id=caller.tenant_id,
            user_id=caller.subject,
            prefix=prefix,
            create_time=now,
            secret_hash=require_hash(secret),
            **vars(draft),
        )
        await self.store.add(key, most=MOST_KEYS, forget_before=now - KEEP_ENDED)
        return IssuedApiKey(key, secret)

    async def get(self, caller: Principal, api_key_id: str) -> ApiKey:
        """Returns a key that the caller may see. Raises ApiKeyNotFound."""
        return require_visible(caller, await self.store.get(caller.tenant_id, api_key_id))

    async def list_page(
        self, caller: Principal, *, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[ApiKey]:
        """Returns the keys that the caller may see, newest first, before (create_time, api_key_id)."""
        user_id = None if caller.is_admin else caller.subject
        return await self.store.list_page(caller.tenant_id, user_id=user_id, limit=limit, before=before)

    async def rename(self, caller: Principal, api_key_id: str, name: str) -> ApiKey:
        """Gives a key another name. Raises ApiKeyNotFound."""
        return await self._change(caller, api_key_id, lambda key: replace(require_visible(caller, key), name=name))

    async def rotate(self, caller: Principal, api_key_id: str, overlap: timedelta) -> IssuedApiKey:
        """Gives a key another secret; the last one stays good for the overlap. Raises ApiKeyNotFound."""
        secrets: list[str] = []
        now = self.clock()

        def renew(key: ApiKey) -> ApiKey:
            require_own(caller, key, now)
            secrets.append(make_secret(key.prefix))
            return give_secret(key, require_hash(secrets[-1]), now + overlap if overlap else None)

        changed = await self._change(caller, api_key_id, renew)
        return IssuedApiKey(changed, secrets[-1])

    async def revoke(self, caller: Principal, api_key_id: str) -> ApiKey:
        """Ends a key; the first end stands. Raises ApiKeyNotFound."""
        now = self.clock()
        return await self._change(
            caller,
            api_key_id,
            lambda key: replace(require_visible(caller, key), revoke_time=key.revoke_time or now),
        )

    async def _change(self, caller: Principal, api_key_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        return await self.store.change(caller.tenant_id, api_key_id, change)


def require_grantable(caller: Principal, scopes: frozenset[Scope]) -> None:
    """Raises ScopeNotGranted for a scope that the caller has not, or may not give."""
    for scope in sorted(scopes):
        is_lacking = caller.scopes is not None and scope not in caller.scopes
        if is_lacking or (scope is Scope.ADMIN and not caller.is_admin):
            raise ScopeNotGranted(scope)


def require_visible(caller: Principal, key: ApiKey) -> ApiKey:
    """Returns the key. Raises ApiKeyNotFound if the caller neither made it nor manages the tenant."""
    if key.user_id != caller.subject and not caller.is_admin:
        raise ApiKeyNotFound
    return key


def require_own(caller: Principal, key: ApiKey, now: datetime) -> None:
    """Raises ApiKeyNotFound if the key is another's, who would be impersonated with its secret, or is over."""
    is_over = key.revoke_time is not None or (key.expire_time is not None and key.expire_time <= now)
    # A key must not lend its caller what the caller lacks, be it by another key's secret.
    is_more = caller.scopes is not None and not key.scopes <= caller.scopes
    if key.user_id != caller.subject or is_over or is_more:
        raise ApiKeyNotFound


def give_secret(key: ApiKey, secret_hash: str, previous_expire_time: datetime | None) -> ApiKey:
    """Returns the key with a new secret; the one of before is good until a moment, or not at all."""
    previous = key.secret_hash if previous_expire_time else None
    return replace(key, secret_hash=secret_hash, previous_hash=previous, previous_expire_time=previous_expire_time)


def require_hash(secret: str) -> str:
    """Returns the hash of a secret that was just made."""
    found = hash_secret(secret)
    if found is None:
        raise AssertionError("a secret that was made has not the form of one")
    return found
