"""Between the protos and the model."""

from datetime import timedelta

from auth.model.accounts import Me, Membership, Registration, ServiceToken, SignedUp, Tenant, Tokens, User
from docuchat.auth.v1 import auth_service_pb2, tenant_pb2, tokens_pb2, user_pb2, user_service_pb2
from servicekit.revocation import Announcement


def to_registration(request: auth_service_pb2.SignUpRequest) -> Registration:
    """Returns what a sign-up says."""
    return Registration(request.email, request.password, request.display_name, request.tenant_name)


def to_sign_up_proto(signed_up: SignedUp) -> auth_service_pb2.SignUpResponse:
    """Returns the answer to a sign-up."""
    return auth_service_pb2.SignUpResponse(
        user=to_user_proto(signed_up.user),
        tenant=to_tenant_proto(signed_up.tenant),
        tokens=to_tokens_proto(signed_up.tokens),
    )


def to_user_proto(user: User) -> user_pb2.User:
    """Returns the user's message."""
    return user_pb2.User(
        user_id=user.user_id,
        email=user.email,
        display_name=user.display_name,
        create_time=user.create_time,
        username=user.username,
        first_name=user.first_name,
        last_name=user.last_name,
        language=user.language,
        is_staff=user.is_staff,
        is_active=user.is_active,
        is_email_verified=user.is_email_verified,
    )


def to_tenant_proto(tenant: Tenant) -> tenant_pb2.Tenant:
    """Returns the tenant's message."""
    return tenant_pb2.Tenant(
        tenant_id=tenant.tenant_id,
        slug=tenant.slug,
        display_name=tenant.display_name,
        create_time=tenant.create_time,
        suspend_time=tenant.suspend_time,
    )


def to_membership_proto(membership: Membership) -> tenant_pb2.Membership:
    """Returns the membership's message."""
    return tenant_pb2.Membership(
        tenant=to_tenant_proto(membership.tenant), role=membership.role.value, is_active=membership.is_active
    )


def to_tokens_proto(tokens: Tokens) -> tokens_pb2.Tokens:
    """Returns the tokens' message."""
    return tokens_pb2.Tokens(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_in_seconds=to_seconds(tokens.expires_in),
        device_token=tokens.device_token,
    )


def to_service_token_proto(token: ServiceToken) -> auth_service_pb2.IssueServiceTokenResponse:
    """Returns the answer to a service."""
    return auth_service_pb2.IssueServiceTokenResponse(
        access_token=token.access_token, expires_in_seconds=to_seconds(token.expires_in)
    )


def to_me_proto(me: Me, tenant_id: str) -> user_service_pb2.GetMeResponse:
    """Returns the answer to a caller who asks who they are."""
    return user_service_pb2.GetMeResponse(
        user=to_user_proto(me.user),
        tenant_id=tenant_id,
        memberships=[to_membership_proto(membership) for membership in me.memberships],
    )


def to_seconds(duration: timedelta) -> int:
    """Returns whole seconds, rounded down so that no one counts on more time than there is."""
    return int(duration.total_seconds())


def to_announcement_proto(announcement: Announcement) -> auth_service_pb2.WatchRevocationsResponse:
    """Returns the message that names ended sessions."""
    return auth_service_pb2.WatchRevocationsResponse(
        session_ids=announcement.session_ids, caught_up=announcement.caught_up
    )
