"""The settings every service has; each service adds its own in <service>/config.py."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER


class ServiceSettings(BaseSettings):
    """Read from environment variables with the prefix DOCUCHAT_."""

    model_config = SettingsConfigDict(
        env_prefix="DOCUCHAT_", extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    listen: str = "127.0.0.1:50051"
    """Where the gRPC server listens: host:port or unix:/path."""

    database_url: SecretStr
    """PostgreSQL as the service's application role: postgresql+asyncpg://..."""

    owner_database_url: SecretStr | None = None
    """PostgreSQL as the role that owns the schema; needed to migrate only."""

    database_pool_size: int = 10
    """Connections this process may hold."""

    auth_target: str = "127.0.0.1:50051"
    """The auth service's gRPC address, for its public keys and for service tokens."""

    service_secret: SecretStr | None = None
    """Proves to auth which service this is; only services that call others on their own account have one."""

    issuer: str = DEFAULT_ISSUER
    """Who signs access tokens (iss)."""

    audience: str = DEFAULT_AUDIENCE
    """Whom access tokens are for (aud)."""

    data_dir: Path = Path("/var/lib/docuchat")
    """The service's own files."""

    reflection: bool = False
    """Whether grpcurl may list the methods; off in production."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    drain_seconds: float = 30
    """How long running calls may take after SIGTERM."""

    max_concurrent_rpcs: int = 1000
    """Calls beyond this many are refused with RESOURCE_EXHAUSTED."""

    version: str = "0.1.0"
    """What /status shows."""
