"""Which process gets which environment."""

import json

import pytest

from gateway.config import read_config
from launcher.keys import load_keys
from launcher.plan import find_free_ports, gateway_environment, list_processes, make_plan
from launcher.settings import read_settings
from launcher.supervisor import check_order


@pytest.fixture
def processes(home):
    """Return the processes by name, for what the user has set."""

    def make(**user):
        settings = read_settings(user, home.root)
        plan = make_plan(settings, home, load_keys(home), {"PATH": "/bin", "GITHUB_TOKEN": "x"})
        return {spec.name: spec for spec in list_processes(plan)}

    return make


def test_every_part_is_a_process_and_each_needs_only_earlier_ones(processes):
    specs = processes()
    check_order(list(specs.values()))
    assert list(specs) == [
        "postgres",
        "migrate",
        "engine",
        "auth",
        "retrieval",
        "ingestion",
        "worker",
        "chat",
        "reflection",
        "gateway",
    ]


def test_the_gateway_stops_first_and_the_stores_last(processes):
    specs = processes()
    users = {name: {spec.name for spec in specs.values() if name in spec.uses | spec.needs} for name in specs}
    assert users["gateway"] == set()
    assert users["chat"] == users["worker"] == users["reflection"] == {"gateway"}
    assert users["ingestion"] == {"chat", "gateway"}
    assert users["retrieval"] == {"chat", "worker", "ingestion", "gateway"}
    assert users["engine"] == {"retrieval"}
    assert users["postgres"] >= {"auth", "retrieval", "ingestion", "worker", "chat"}


def test_the_settings_of_every_service_are_checked_in_its_own_environment(processes):
    checked = {name: spec.checked_as for name, spec in processes().items() if spec.checked_as}
    assert checked == {name: name for name in ("auth", "retrieval", "ingestion", "chat")}


def test_a_qdrant_server_takes_the_place_of_the_embedded_engine(processes):
    specs = processes(QDRANT_URL="http://qdrant:6334", QDRANT_API_KEY="k")
    assert "engine" not in specs
    assert specs["retrieval"].environment["QDRANT_API_KEY"] == "k"
    assert "QDRANT_API_KEY" not in specs["chat"].environment


def test_secrets_go_only_where_they_are_needed(processes, home):
    keys = load_keys(home)
    specs = processes(OPENAI_API_KEY="sk-1", GEMINI_API_KEY="g-1", DOCUCHAT_SMTP_URL="smtp://me:pw@mail")
    holders = {
        name: {service for service, spec in specs.items() if secret in json.dumps(dict(spec.environment))}
        for name, secret in {
            "superuser": keys.postgres_password,
            "chat's owner": keys.owner_passwords["chat"],
            "chat": keys.application_passwords["chat"],
            "openai": "sk-1",
            "ingestion": keys.service_secrets["ingestion"],
            "retrieval": keys.service_secrets["retrieval"],
            "chat itself": keys.service_secrets["chat"],
            "signing key": str(keys.signing_key_file),
            "auth's secret": str(keys.auth_secret_file),
            "mail server": "smtp://me:pw@mail",
        }.items()
    }
    assert holders == {
        "superuser": {"migrate"},
        "chat's owner": {"migrate"},
        "chat": {"chat", "migrate"},
        "openai": {"chat", "retrieval"},
        "ingestion": {"auth", "ingestion", "worker"},
        "retrieval": {"auth", "retrieval"},
        "chat itself": {"auth", "chat"},
        "signing key": {"auth"},
        "auth's secret": {"auth"},
        "mail server": {"auth"},
    }
    assert all("GITHUB_TOKEN" not in spec.environment for spec in specs.values())
    assert "sk-1" not in repr(specs)


def test_the_worker_finds_the_service_that_keeps_quotes(processes):
    specs = processes()
    assert specs["worker"].environment["DOCUCHAT_CHAT_TARGET"] == specs["chat"].address


def test_auth_finds_every_service_that_erases_its_part(processes):
    specs = processes()
    for name in ("ingestion", "retrieval", "chat"):
        assert specs["auth"].environment[f"DOCUCHAT_{name.upper()}_TARGET"] == specs[name].address


def test_the_users_settings_reach_the_services_but_cannot_take_the_stack_apart(processes):
    specs = processes(DOCUCHAT_LOG_LEVEL="DEBUG", DOCUCHAT_LISTEN="0.0.0.0:1", DOCUCHAT_AUTH_TARGET="elsewhere:1")
    assert specs["chat"].environment["DOCUCHAT_LOG_LEVEL"] == "DEBUG"
    assert specs["chat"].environment["DOCUCHAT_LISTEN"] == specs["chat"].address
    assert specs["chat"].environment["DOCUCHAT_AUTH_TARGET"] == specs["auth"].address


def test_an_object_store_of_the_users_own_is_used(processes):
    assert processes()["worker"].environment["DOCUCHAT_OBJECT_STORE_URL"].startswith("file:///")
    specs = processes(DOCUCHAT_OBJECT_STORE_URL="s3://bucket", AWS_SECRET_ACCESS_KEY="s")
    assert {specs[name].environment["DOCUCHAT_OBJECT_STORE_URL"] for name in ("ingestion", "worker")} == {"s3://bucket"}
    assert {name for name, spec in specs.items() if "AWS_SECRET_ACCESS_KEY" in spec.environment} == {
        "ingestion",
        "worker",
    }
    assert "AWS_SECRET_ACCESS_KEY" not in processes(AWS_SECRET_ACCESS_KEY="s")["ingestion"].environment


def test_the_gateway_can_read_its_environment(home):
    settings = read_settings(
        {"DOCUCHAT_PORT": "8099", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"}, home.root
    )
    plan = make_plan(settings, home, load_keys(home), {})
    config = read_config(gateway_environment(plan))
    assert (config.listen.port, config.otlp.port) == (8099, 4317)
    assert config.targets["chat"].port == plan.ports["chat"]


def test_what_the_user_sets_about_limits_and_headers_reaches_the_gateway_and_auth(home, processes):
    user = {"DOCUCHAT_RATE_LIMIT_LOGINS": "7", "DOCUCHAT_TRUSTED_PROXIES": "1", "DOCUCHAT_TENANT_HEADER": "x-org"}
    user |= {"DOCUCHAT_ON_BEHALF_OF_HEADER": "x-end-user"}
    config = read_config(gateway_environment(make_plan(read_settings(user, home.root), home, load_keys(home), {})))
    assert (config.rate_limits.logins, config.trusted_proxies) == (7, 1)
    assert (config.tenant_header, config.on_behalf_of_header) == ("x-org", "x-end-user")
    assert processes(**user)["auth"].environment.items() >= user.items()


def test_free_ports_are_different():
    assert len(set(find_free_ports(20))) == 20
