"""The audit log, to read."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth.model.tenants import Caller, NamedEvent, PageKey
from auth.ports.tenants import AuditStore
from auth.tenants.acts import require_own_tenant


@dataclass(frozen=True)
class AuditLog:
    """Shows who did what in the token's tenant."""

    store: AuditStore

    async def list_page(
        self, caller: Caller, tenant_id: str, limit: int, before: PageKey | None
    ) -> Sequence[NamedEvent]:
        """Returns at most `limit` events, newest first. Raises TenantNotFound."""
        require_own_tenant(caller, tenant_id)
        return await self.store.list_page(tenant_id, limit, before)
