"""What the gateway has to know about the stack it stands in front of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SERVICES = ("auth", "ingestion", "retrieval", "chat")
"""The services behind the gateway; each is one Envoy cluster of the same name."""

TRUE = frozenset({"1", "true", "yes", "on"})
MOST_CALLS = 1_000_000
MOST_PROXIES = 10
HEADER = re.compile(r"[a-z][a-z0-9-]{0,63}(?<!-bin)")
TAKEN_HEADERS = frozenset(
    {"authorization", "content-type", "host", "x-request-id", "x-forwarded-for", "x-role", "x-user-id"}
)
CONSOLE_FOLDER = Path(__file__).parents[2] / "console"


class GatewayConfigError(ValueError):
    """A setting is missing or does not mean anything; the text names it and says what it should be."""


@dataclass(frozen=True)
class Address:
    """A TCP address that a socket can listen on or connect to."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, setting: str) -> "Address":
        """Reads ``host:port``; raises GatewayConfigError naming the setting if it is neither."""
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise GatewayConfigError(f"{setting} must be host:port, such as 127.0.0.1:8080, but is {text!r}")
        return cls(host.strip("[]"), int(port))


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes and times in seconds that the gateway enforces."""

    unary_seconds: int = 25
    """A whole unary call."""
    stream_seconds: int = 600
    """A whole upload, download or answer."""
    upload_idle_seconds: int = 35
    """No byte of an upload; the service itself gives up after 30 and says so better."""
    answer_idle_seconds: int = 120
    """No byte of an answer: a slow model may think this long before its first word."""
    receive_seconds: int = 10
    """A request that is no upload, from its first byte to its last."""
    receive_bytes_per_second: int = 1024 * 1024
    """The pace beyond that time at which a large body has to arrive."""
    smallest_body_bytes: int = 64 * 1024
    """What every method takes; bodies that are no upload are held in memory until they are whole."""
    largest_body_bytes: int = 8 * 1024 * 1024
    """What a method takes whose fields may need as much."""
    message_bytes: int = 32 * 1024 * 1024
    """One message that the transcoder turns from or into JSON."""
    connections: int = 4000
    """Open client connections."""
    buffer_bytes: int = 256 * 1024
    """What waits on one connection before its sender is stopped."""
    stream_window_bytes: int = 64 * 1024
    """What a service may send of one answer ahead of its reader."""
    upstream_requests: int = 2000
    """Requests under way at one service."""
    heap_bytes: int = 384 * 1024 * 1024
    """Envoy's memory: near it the largest requests are cut, and new ones refused."""


@dataclass(frozen=True)
class RateLimits:
    """Calls a minute that one caller may make; 0 for as many as they like."""

    changes: int = 50
    """Of one user: calls that change or cost something, which is all but GET."""
    reads: int = 600
    """Of one user, or of one address where there is no user: GET, so that watching a document is no offence."""
    api_key: int = 600
    """Of one API key, whatever it calls: behind it stand many people."""
    logins: int = 10
    """Of one address: what tries passwords, codes and addresses."""


@dataclass(frozen=True)
class GatewayConfig:
    """Everything the rendered Envoy configuration depends on."""

    listen: Address
    """Where clients connect."""
    targets: Mapping[str, Address]
    """Where each of SERVICES listens, by name."""
    reflection: Address | None = None
    """The reflection server for grpcurl, or None (production)."""
    otlp: Address | None = None
    """The OTLP/gRPC collector spans go to, or None for no tracing."""
    admin: Path | None = None
    """The unix socket of Envoy's admin page, for its own user only; None switches it off."""
    cors_origins: tuple[str, ...] = ()
    """Exact origins whose pages may call the gateway from a browser."""
    console: Path | None = None
    """The folder with the web page, or None for none."""
    issuer: str = "docuchat"
    audience: str = "docuchat"
    limits: Limits = field(default_factory=Limits)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    rate_limit_service: Address | None = None
    """The Envoy rate-limit service that several gateways share; it has the limits then. None: each counts alone."""
    tenant_header: str = "x-tenant-id"
    """Selects one of the caller's tenants."""
    on_behalf_of_header: str = "x-on-behalf-of"
    """Names the end user that an API key acts for."""
    staff: bool = False
    """Whether the methods of the operating company's staff are reachable; auth has a setting of the same name."""
    trusted_proxies: int = 0
    """How many proxies stand in front: so many entries of x-forwarded-for, from the right, were written by them."""


def read_config(environment: Mapping[str, str]) -> GatewayConfig:
    """Reads the settings from environment variables; raises GatewayConfigError for the first bad one."""
    return GatewayConfig(
        listen=Address.parse(environment.get("DOCUCHAT_GATEWAY_LISTEN", "127.0.0.1:8080"), "DOCUCHAT_GATEWAY_LISTEN"),
        targets={service: _required(environment, f"DOCUCHAT_{service.upper()}_TARGET") for service in SERVICES},
        reflection=_read_reflection(environment),
        otlp=_read_otlp(environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")),
        admin=_read_admin(environment.get("DOCUCHAT_GATEWAY_ADMIN", "")),
        cors_origins=_read_origins(environment.get("DOCUCHAT_CORS_ORIGINS", "")),
        console=_read_console(environment),
        issuer=environment.get("DOCUCHAT_ISSUER", "docuchat"),
        audience=environment.get("DOCUCHAT_AUDIENCE", "docuchat"),
        rate_limits=_read_rate_limits(environment),
        rate_limit_service=_optional(environment, "DOCUCHAT_RATE_LIMIT_SERVICE"),
        tenant_header=_read_header(environment, "DOCUCHAT_TENANT_HEADER", "x-tenant-id"),
        on_behalf_of_header=_read_header(environment, "DOCUCHAT_ON_BEHALF_OF_HEADER", "x-on-behalf-of"),
        staff=environment.get("DOCUCHAT_STAFF_ENABLED", "").lower() in TRUE,
        trusted_proxies=_read_number(environment, "DOCUCHAT_TRUSTED_PROXIES", 0, most=MOST_PROXIES),
    )


def _read_rate_limits(environment: Mapping[str, str]) -> RateLimits:
    usual = RateLimits()
    return RateLimits(
        **{
            name: _read_number(environment, f"DOCUCHAT_RATE_LIMIT_{name.upper()}", default, most=MOST_CALLS)
            for name, default in vars(usual).items()
        }
    )


def _read_number(environment: Mapping[str, str], setting: str, default: int, *, most: int) -> int:
    text = environment.get(setting) or str(default)
    if not text.isascii() or not text.isdecimal() or int(text) > most:
        raise GatewayConfigError(f"{setting} must be a number from 0 to {most}, but is {text!r}")
    return int(text)


def _read_header(environment: Mapping[str, str], setting: str, default: str) -> str:
    name = (environment.get(setting) or default).lower()
    # Those that speak for the edge are removed before anybody could read them.
    if not HEADER.fullmatch(name) or name.startswith(("x-envoy-", "x-docuchat-")) or name in TAKEN_HEADERS:
        raise GatewayConfigError(f"{setting} must be a header of its own, such as {default}, but is {name!r}")
    return name


def _required(environment: Mapping[str, str], setting: str) -> Address:
    address = _optional(environment, setting)
    if address is None:
        raise GatewayConfigError(f"{setting} is not set; it says where that service listens, as host:port")
    return address


def _optional(environment: Mapping[str, str], setting: str) -> Address | None:
    text = environment.get(setting, "")
    return Address.parse(text, setting) if text else None


def _read_console(environment: Mapping[str, str]) -> Path | None:
    wanted = environment.get("DOCUCHAT_CONSOLE", "true").lower() in TRUE
    return CONSOLE_FOLDER if wanted and (CONSOLE_FOLDER / "index.html").exists() else None


def _read_reflection(environment: Mapping[str, str]) -> Address | None:
    if environment.get("DOCUCHAT_REFLECTION", "").lower() not in TRUE:
        return None
    return _required(environment, "DOCUCHAT_REFLECTION_TARGET")


def _read_admin(target: str) -> Path | None:
    if not target:
        return None
    scheme, _, path = target.partition(":")
    if scheme != "unix" or not Path(path).is_absolute():
        raise GatewayConfigError(
            f"DOCUCHAT_GATEWAY_ADMIN must be unix:/path of a socket, because a page in a browser can reach any port "
            f"of its machine, but is {target!r}"
        )
    return Path(path)


def _read_otlp(endpoint: str) -> Address | None:
    """Turns an OTLP endpoint such as ``http://127.0.0.1:4317`` into an address."""
    if not endpoint:
        return None
    scheme, _, rest = endpoint.rpartition("://")
    if scheme not in {"", "http"}:
        raise GatewayConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT must be http://host:port (OTLP/gRPC), but is {endpoint!r}"
        )
    return Address.parse(rest.rstrip("/"), "OTEL_EXPORTER_OTLP_ENDPOINT")


def _read_origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    if "*" in origins:
        raise GatewayConfigError("DOCUCHAT_CORS_ORIGINS takes exact origins, such as https://app.example.org, and no *")
    return origins
