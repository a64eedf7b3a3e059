"""Services that call others on their own account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.errors.accounts import InvalidServiceCredentials
from auth.model.accounts import ServiceToken
from auth.ports.accounts import ServiceSecrets, TokenSigner
from servicekit.identity import Role


@dataclass(frozen=True)
class Services:
    """Gives services their tokens."""

    secrets: ServiceSecrets
    tokens: TokenSigner
    clock: Callable[[], datetime]
    lifetime: timedelta

    def issue_token(self, service_name: str, secret: str) -> ServiceToken:
        """Returns a token for the service. Raises InvalidServiceCredentials."""
        if not self.secrets.matches(service_name, secret):
            raise InvalidServiceCredentials
        now = self.clock()
        token = self.tokens.sign(subject=service_name, role=Role.SERVICE, now=now, expire_time=now + self.lifetime)
        return ServiceToken(token, self.lifetime)
