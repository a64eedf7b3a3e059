"""Tokens for services that call others on their own account."""

from auth.errors import InvalidServiceCredentials
from auth.model import ServiceToken
from auth.ports import Needs
from servicekit.identity import Role


def issue_service_token(needs: Needs, service_name: str, secret: str) -> ServiceToken:
    """Returns a token for the service. Raises InvalidServiceCredentials."""
    if not needs.service_secrets.matches(service_name, secret):
        raise InvalidServiceCredentials
    now = needs.clock()
    lifetime = needs.lifetimes.service_token
    token = needs.tokens.sign(subject=service_name, role=Role.SERVICE, now=now, expire_time=now + lifetime)
    return ServiceToken(token, lifetime)
