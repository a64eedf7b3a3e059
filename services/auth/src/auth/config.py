"""The settings of auth; those that all services share are in servicekit.config."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from servicekit.config import DatabaseUrl, EnvironmentSettings, ServiceSettings

HeaderName = Annotated[str, AfterValidator(str.lower), Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]


def _require_smtp(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("must be like smtp://user:password@host:587 or smtps://user:password@host:465")
    return url


SmtpUrl = Annotated[SecretStr, AfterValidator(_require_smtp)]


class UnlockSettings(EnvironmentSettings):
    """What `unlock`, `make-staff` and `revoke-staff` read, and nothing else."""

    database_url: DatabaseUrl
    """PostgreSQL as auth's application role: postgresql+asyncpg://..."""


class RotationSettings(EnvironmentSettings):
    """What `rotate-keys` reads, and nothing else; a running auth can exchange its key with it too."""

    signing_key_file: Path
    """The Ed25519 private key that signs access tokens (PEM, PKCS #8). Without it auth does not start.

    Keys beside it that are named after a moment sign from then on; `rotate-keys` makes them.
    """

    key_lead_seconds: Annotated[int, Field(ge=0)] = 330
    """How long the next key is published before it signs; verifiers look every 300 seconds."""


class Settings(ServiceSettings, RotationSettings):
    """Read from environment variables with the prefix DOCUCHAT_."""

    secret_file: Path | None = None
    """At least 32 random bytes that all other keys are derived from; the signing key file's if absent."""

    published_key_files: tuple[Path, ...] = ()
    """More keys (PEM, public or private) to publish: the next one before it signs, the last one for an hour after."""

    service_secrets: dict[str, Annotated[SecretStr, Field(min_length=16)]] = Field(default_factory=dict)
    """Which service may ask for a token with which secret: {"ingestion": "..."}. Empty: none may."""

    staff_enabled: bool = False
    """Whether users with the staff flag may log in as staff, and what AdminService does is open to them."""

    ingestion_target: str = "127.0.0.1:50052"
    """The ingestion service's gRPC address, to have it erase its part of users and tenants."""

    retrieval_target: str = "127.0.0.1:50053"
    """The retrieval service's gRPC address, for the same."""

    chat_target: str = "127.0.0.1:50054"
    """The chat service's gRPC address, for the same."""

    access_token_seconds: Annotated[int, Field(ge=10, le=3600)] = 900
    """How long an access token is good."""

    session_seconds: Annotated[int, Field(ge=60)] = 604_800
    """How long after log-in a session ends, however often it is refreshed."""

    refresh_grace_seconds: Annotated[int, Field(ge=0, le=60)] = 10
    """How long a used refresh token may be used again by a client that lost the answer."""

    tenant_header: HeaderName = "x-tenant-id"
    """The header that selects one of the caller's tenants; the gateway's setting of the same name."""

    on_behalf_of_header: HeaderName = "x-on-behalf-of"
    """The header in which an API key names the end user it acts for; the gateway's setting of the same name."""

    password_memory_kib: Annotated[int, Field(ge=19_456)] = 19_456
    """Argon2id memory per hash; 19 MiB is OWASP's least."""

    password_passes: Annotated[int, Field(ge=2)] = 2
    """Argon2id passes over that memory."""

    password_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Hashes that are computed at the same time."""

    password_queue: Annotated[int, Field(ge=1)] = 200
    """Hashes that may wait or run; log-ins beyond are refused with OVERLOADED."""

    default_plan: Literal["free", "pro", "enterprise"] = "free"
    """The plan of tenants that have bought none."""

    stripe_secret_key: SecretStr | None = None
    """Stripe's secret key. Without it plans are shown and cannot be bought."""

    stripe_webhook_secret: SecretStr | None = None
    """The secret of the webhook endpoint that points at /v1/billing/stripe-events; needed with the secret key."""

    stripe_prices: dict[str, str] = Field(default_factory=dict)
    """Stripe's price of each plan that can be bought: {"pro": "price_..."}."""

    billing_return_url: str = "http://127.0.0.1:8080/"
    """Where Stripe's pages send people back to."""

    smtp_url: SmtpUrl | None = None
    """Whoever takes mails: smtp://user:password@host:587 (STARTTLS), smtps://...; a folder instead if absent."""

    mail_from: str = "DocuChat <docuchat@localhost>"
    """Who mails come from."""

    mail_folder: Path | None = None
    """Where mails are put as files without SMTP; `mail` in the data folder if absent."""

    client_address_header: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "x-envoy-external-address"
    """The header in which the gateway says where a client connects from. Nobody else may be able to send it."""

    code_requests_per_client: Annotated[int, Field(ge=1)] = 30
    """Codes by mail that one client address may ask for in an hour."""

    code_requests_overall: Annotated[int, Field(ge=1)] = 2000
    """Codes by mail that all may ask for in an hour, sign-ups included."""

    code_failures_per_client: Annotated[int, Field(ge=1)] = 30
    """Wrong codes that one client address may send in an hour."""

    code_failures_overall: Annotated[int, Field(ge=1)] = 100
    """Wrong codes that all may send in a day; five right ones make good for one. Each is one chance in a million."""

    @model_validator(mode="after")
    def require_webhook_secret(self) -> "Settings":
        """A key without the webhook's secret would take money and never hear of it."""
        if (self.stripe_secret_key is None) != (self.stripe_webhook_secret is None):
            raise ValueError("set DOCUCHAT_STRIPE_SECRET_KEY and DOCUCHAT_STRIPE_WEBHOOK_SECRET together, or neither")
        return self
