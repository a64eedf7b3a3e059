"""The nouns of tenants: who is in them, who is asked into them, who did what, and what is erased."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from auth.model.accounts import User
from servicekit.erasure import Subject
from servicekit.identity import Role

PageKey = tuple[datetime, str]
"""A row's time and id."""


@dataclass(frozen=True)
class Caller:
    """Who asks, as the token says: a user in the one tenant that the call may be about."""

    user_id: str
    tenant_id: str
    role: Role
    session_id: str


@dataclass(frozen=True)
class Member:
    """A user in a tenant."""

    user: User
    role: Role
    is_active: bool
    join_time: datetime


@dataclass(frozen=True)
class Standing:
    """A member whom somebody is about to change, and what has to be known for it."""

    member: Member
    actor_role: Role | None
    """What whoever changes it is in the tenant at this moment; None for nobody."""
    has_other_owner: bool
    """Whether another user owns the tenant and may work in it."""


@dataclass(frozen=True)
class Invitation:
    """Somebody who is asked into a tenant; `inviter_user_id` is empty for the operating company."""

    invitation_id: str
    tenant_id: str
    email: str
    role: Role
    inviter_user_id: str
    create_time: datetime
    expire_time: datetime


@dataclass(frozen=True)
class InvitationLetter:
    """What the mail to an invited person says."""

    email: str
    tenant_name: str
    role: Role
    expire_time: datetime
    token: str = field(repr=False)


@dataclass(frozen=True)
class AuditEvent:
    """Who did what. Nobody is named: an id leads to the name for as long as there is one."""

    create_time: datetime
    action: str
    actor_role: str
    actor_user_id: str = ""
    tenant_id: str = ""
    target_id: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class NamedEvent:
    """An event with the name its actor has now; empty where there is none."""

    event: AuditEvent
    actor_name: str


class ErasureState(Enum):
    """How far an erasure is."""

    ERASING = "ERASING"
    ERASED = "ERASED"
    CONFIRMED = "CONFIRMED"


@dataclass(frozen=True)
class Erasure:
    """A user or tenants on their way out, with what is gone so far by service and kind."""

    erasure_id: str
    user_id: str
    tenant_ids: tuple[str, ...]
    state: ErasureState
    pending: tuple[str, ...]
    create_time: datetime
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    failures: int = 0
    complete_time: datetime | None = None
    due_time: datetime | None = None

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Returns the tenants, then the user."""
        tenants = tuple(Subject(tenant_id=each) for each in self.tenant_ids)
        return (*tenants, Subject(user_id=self.user_id)) if self.user_id else tenants
