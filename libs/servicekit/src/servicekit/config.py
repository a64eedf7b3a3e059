"""The settings every service has; each service adds its own in <service>/config.py."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from servicekit.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER

DATABASE_DRIVER = "postgresql+asyncpg"


class WrongSetting(Exception):
    """Raised at start for a setting that cannot work. Its text is a sentence for the operator, without secrets."""


def _require_database(url: SecretStr) -> SecretStr:
    try:
        fits = make_url(url.get_secret_value()).drivername == DATABASE_DRIVER
    except ArgumentError:
        fits = False
    if not fits:
        raise ValueError(f"must be like {DATABASE_DRIVER}://role:password@host/database")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_require_database)]


class EnvironmentSettings(BaseSettings):
    """Read from environment variables with the prefix DOCUCHAT_; a wrong one is reported without its value."""

    model_config = SettingsConfigDict(
        env_prefix="DOCUCHAT_", extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )


class MigrationSettings(EnvironmentSettings):
    """What `migrate` reads, and nothing else."""

    owner_database_url: DatabaseUrl
    """PostgreSQL as the role that owns the schema: postgresql+asyncpg://..."""


class ServiceSettings(EnvironmentSettings):
    """What every process of a service may be told."""

    listen: str = "127.0.0.1:50051"
    """Where the gRPC server listens: host:port or unix:/path."""

    database_url: DatabaseUrl
    """PostgreSQL as the service's application role: postgresql+asyncpg://..."""

    database_pool_size: Annotated[int, Field(ge=1)] = 10
    """Connections this process may hold."""

    auth_target: str = "127.0.0.1:50051"
    """The auth service's gRPC address, for its public keys, ended sessions and service tokens."""

    service_secret: SecretStr | None = None
    """Proves to auth which service this is; auth itself is the only one that needs none."""

    issuer: str = DEFAULT_ISSUER
    """Who signs access tokens (iss)."""

    audience: str = DEFAULT_AUDIENCE
    """Whom access tokens are for (aud)."""

    data_dir: Path = Path("/var/lib/docuchat")
    """The service's own files."""

    reflection: bool = False
    """Whether grpcurl may list the methods; off in production."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    drain_seconds: Annotated[float, Field(ge=0)] = 30
    """How long running calls may take after SIGTERM."""

    stop_notice_seconds: Annotated[float, Field(ge=0)] = 0.5
    """How long calls are still taken after health says NOT_SERVING; longer than load balancers take to look."""

    max_concurrent_rpcs: Annotated[int, Field(ge=1)] = 1000
    """Calls beyond this many are refused with RESOURCE_EXHAUSTED."""

    max_concurrent_rpcs_per_user: Annotated[int, Field(ge=1)] = 100
    """How many of them one user may have under way."""

    max_concurrent_rpcs_per_tenant: Annotated[int, Field(ge=1)] = 400
    """How many of them all users of one tenant may have under way together."""

    version: str = "0.1.0"
    """What /status shows."""


def reveal_service_secret(settings: ServiceSettings) -> str:
    """Returns the service's secret. Raises WrongSetting where there is none."""
    if settings.service_secret is None or not settings.service_secret.get_secret_value():
        raise WrongSetting("DOCUCHAT_SERVICE_SECRET is not set; it proves to auth which service this is")
    return settings.service_secret.get_secret_value()
