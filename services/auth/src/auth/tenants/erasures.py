"""How users and tenants leave for good: asked for, and read again."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.errors.tenants import ConfirmationRequired, ErasureNotFound, RoleNotAllowed
from auth.model.accounts import Client
from auth.model.tenants import AuditEvent, Caller, Erasure, ErasureState
from auth.ports.tenants import Confirmation, ErasureStore, TenantStore
from auth.tenants.acts import describe_act, require_own_tenant
from auth.tenants.tenants import require_tenant
from servicekit.identity import Role

FRESH = timedelta(minutes=5)
# By then every service has heard that the sessions ended, so that nothing new is stored while the old goes.
TOKENS_END = timedelta(seconds=6)


@dataclass(frozen=True)
class Erasures:
    """Begins erasures. `services` are the names of all that have a part, auth last: its rows lead to theirs."""

    store: ErasureStore
    tenants: TenantStore
    confirmation: Confirmation
    services: tuple[str, ...]
    clock: Callable[[], datetime]

    async def erase_me(self, caller: Caller, password: str, client: Client) -> Erasure:
        """Begins to erase the caller.

        Raises ConfirmationRequired, WrongPassword, TooManyAttempts, AddressLocked, LastOwner.
        """
        await self._confirm(caller, password, client)
        return await self.begin_user(caller.user_id, describe_act(caller, "user.erase", self.clock(), caller.user_id))

    async def erase_tenant(self, caller: Caller, tenant_id: str, display_name: str) -> Erasure:
        """Begins to erase the token's tenant. Raises TenantNotFound, RoleNotAllowed, ConfirmationRequired."""
        require_own_tenant(caller, tenant_id)
        if caller.role is not Role.OWNER:
            raise RoleNotAllowed
        tenant = require_tenant(await self.tenants.find(tenant_id))
        if display_name != tenant.display_name:
            raise ConfirmationRequired("type the tenant's display_name again, exactly as it is")
        return await self.begin_tenant(tenant_id, describe_act(caller, "tenant.erase", self.clock()))

    async def find(self, erasure_id: str) -> Erasure:
        """Returns the receipt of an erasure. Raises ErasureNotFound."""
        erasure = await self.store.find(erasure_id)
        if erasure is None:
            raise ErasureNotFound
        return erasure

    async def begin_user(self, user_id: str, event: AuditEvent) -> Erasure:
        """Begins to erase a user, who need not exist any more. Raises LastOwner."""
        return await self.store.begin_user(self._describe(event, user_id=user_id), event, event.create_time)

    async def begin_tenant(self, tenant_id: str, event: AuditEvent) -> Erasure:
        """Begins to erase a tenant, which need not exist any more."""
        return await self.store.begin_tenant(self._describe(event, tenant_ids=(tenant_id,)), event, event.create_time)

    def _describe(self, event: AuditEvent, *, user_id: str = "", tenant_ids: tuple[str, ...] = ()) -> Erasure:
        return Erasure(
            erasure_id=str(uuid.uuid4()),
            user_id=user_id,
            tenant_ids=tenant_ids,
            state=ErasureState.ERASING,
            pending=self.services,
            create_time=event.create_time,
            due_time=event.create_time + TOKENS_END,
        )

    async def _confirm(self, caller: Caller, password: str, client: Client) -> None:
        if password:
            await self.confirmation.confirm(caller.user_id, password, client)
            return
        began = await self.confirmation.find_session_start(caller.user_id, caller.session_id)
        if began is None or self.clock() - began > FRESH:
            raise ConfirmationRequired("send your password, or log in again and repeat it within five minutes")
