"""Who may change whom."""

from dataclasses import replace

from auth.errors.tenants import LastOwner, RoleNotAllowed
from auth.model.tenants import Member, Standing
from auth.ports.tenants import Decide
from servicekit.identity import Role

MANAGED = {
    Role.OWNER: frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER}),
    Role.ADMIN: frozenset({Role.ADMIN, Role.MEMBER}),
}
"""The roles that each role may give, change and take; a role that is not here manages nobody."""


def check_change(actor: Role | None, *roles: Role) -> None:
    """Raises RoleNotAllowed unless the actor may deal with all of these roles: the one before and the one after."""
    if actor is None or not MANAGED.get(actor, frozenset()).issuperset(roles):
        raise RoleNotAllowed


def decide_update(role: Role | None, *, is_active: bool | None) -> Decide:
    """Returns the decision about a member who gets another role, or is let in or out; None leaves either as it is."""

    def decide(standing: Standing) -> Member:
        before = standing.member
        after = replace(
            before,
            role=before.role if role is None else role,
            is_active=before.is_active if is_active is None else is_active,
        )
        check_change(standing.actor_role, before.role, after.role)
        require_owner_left(standing, after)
        return after

    return decide


def decide_removal(standing: Standing) -> None:
    """Decides that a member is removed by somebody else. Raises RoleNotAllowed, LastOwner."""
    check_change(standing.actor_role, standing.member.role)
    require_owner_left(standing, None)


def decide_departure(standing: Standing) -> None:
    """Decides that a member leaves, which needs no role. Raises LastOwner."""
    require_owner_left(standing, None)


def require_owner_left(standing: Standing, after: Member | None) -> None:
    """Raises LastOwner if the tenant had an owner who may work in it and would have none."""
    owned = standing.member.role is Role.OWNER and standing.member.is_active
    owns = after is not None and after.role is Role.OWNER and after.is_active
    if owned and not owns and not standing.has_other_owner:
        raise LastOwner
