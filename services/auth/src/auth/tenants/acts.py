"""What a caller does: in which tenant it may be, and what the audit log says of it."""

from datetime import datetime

from auth.errors.accounts import TenantNotFound
from auth.model.tenants import AuditEvent, Caller


def require_own_tenant(caller: Caller, tenant_id: str) -> None:
    """Raises TenantNotFound for any tenant but the token's, whether there is such a tenant or not."""
    if tenant_id != caller.tenant_id:
        raise TenantNotFound


def describe_act(caller: Caller, action: str, create_time: datetime, target_id: str = "") -> AuditEvent:
    """Returns the audit event of what a caller does in the token's tenant."""
    return AuditEvent(
        create_time=create_time,
        action=action,
        actor_role=caller.role.value,
        actor_user_id=caller.user_id,
        tenant_id=caller.tenant_id,
        target_id=target_id,
    )
