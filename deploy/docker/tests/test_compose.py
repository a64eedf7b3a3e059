"""The compose file against the settings of the services: every variable it sets is one that somebody reads."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

import auth.config
import chat.config
import ingestion.config
import retrieval.config
from auth.security.keyring import read_keys
from gateway.config import RateLimits, read_config

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "auth": auth.config.Settings,
    "retrieval": retrieval.config.Settings,
    "ingestion": ingestion.config.Settings,
    "worker": ingestion.config.Settings,
    "chat": chat.config.Settings,
}
# Read by OpenTelemetry and by the object store themselves.
FOREIGN = {"OTEL_EXPORTER_OTLP_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT"}
# Of `make run` alone: the containers have volumes, and a Qdrant server of their own.
LOCAL = {"DOCUCHAT_HOME", "QDRANT_URL"}


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def variables(settings):
    names = set()
    for name, field in settings.model_fields.items():
        names.add(str(field.validation_alias) if field.validation_alias else f"DOCUCHAT_{name.upper()}")
    return names


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_of_a_service_is_one_of_its_settings(services, name):
    assert set(services[name]["environment"]) - FOREIGN <= variables(SETTINGS[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_has_every_setting_that_has_no_default(services, name):
    fields = SETTINGS[name].model_fields
    required = {f"DOCUCHAT_{field.upper()}" for field, info in fields.items() if info.is_required()}
    assert required <= set(services[name]["environment"])


@pytest.mark.parametrize("name", ["retrieval", "ingestion", "worker", "chat"])
def test_whoever_listens_to_auth_has_the_secret_that_auth_knows(services, name):
    (secret,) = re.findall(r"\$\{(\w+):\?", services[name]["environment"]["DOCUCHAT_SERVICE_SECRET"])
    known = json.loads(services["auth"]["environment"]["DOCUCHAT_SERVICE_SECRETS"])
    assert known["ingestion" if name == "worker" else name] == f"${{{secret}}}"


@pytest.mark.parametrize("name", ["ingestion", "retrieval", "chat"])
def test_auth_finds_every_service_that_erases_its_part(services, name):
    port = services[name]["environment"]["DOCUCHAT_LISTEN"].rpartition(":")[2]
    assert services["auth"]["environment"][f"DOCUCHAT_{name.upper()}_TARGET"] == f"{name}:{port}"


def test_the_gateway_understands_its_variables_and_shows_no_reflection(services):
    given = services["gateway"]["environment"]
    environment = {name: re.sub(r"\$\{[^}]*\}", "", value) for name, value in given.items() if value}
    config = read_config(environment)
    assert (config.targets["chat"].host, config.reflection, config.admin) == ("chat", None, None)


def test_only_the_gateway_is_reachable_and_only_on_loopback(services):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(published) == ["gateway"]
    assert published["gateway"][0].startswith("127.0.0.1:")


def test_the_migrations_get_what_they_read(services):
    source = (ROOT / "deploy/local/src/launcher/migrate.py").read_text()
    wanted = set(re.findall(r'environment\["(DOCUCHAT_\w+)"\]', source))
    for service in ("AUTH", "INGESTION", "RETRIEVAL", "CHAT"):
        wanted |= {f"DOCUCHAT_{service}{end}" for end in re.findall(r'\{prefix\}(_\w+)"', source)}
    assert set(services["migrate"]["environment"]) == wanted


def test_the_script_makes_every_secret_that_compose_insists_on(tmp_path):
    script = tmp_path / "deploy/docker/make_secrets.sh"
    script.parent.mkdir(parents=True)
    script.write_text((ROOT / "deploy/docker/make_secrets.sh").read_text())
    for _ in range(2):
        subprocess.run(["sh", script], check=True, env={"PATH": os.environ["PATH"]})
    lines = (tmp_path / ".env").read_text().splitlines()
    made = {line.partition("=")[0] for line in lines}
    assert len(made) == len(lines)
    assert set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text())) == made
    assert len((tmp_path / "deploy/docker/secrets/auth_secret").read_text().strip()) == 64
    assert b"PRIVATE KEY" in (tmp_path / "deploy/docker/secrets/signing_key.pem").read_bytes()


def test_the_script_makes_a_key_that_auth_signs_with_when_it_says(tmp_path):
    script = tmp_path / "rotate_keys.sh"
    script.write_text((ROOT / "deploy/docker/rotate_keys.sh").read_text())
    (tmp_path / "secrets").mkdir()
    now = datetime.now(UTC)
    subprocess.run(["sh", script], check=True, env={"PATH": os.environ["PATH"]})
    (key,) = read_keys(tmp_path / "secrets/signing_key.pem")
    assert timedelta(seconds=325) < key.sign_time - now < timedelta(seconds=335)


def test_each_setting_of_the_example_is_one_that_somebody_reads():
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known = set().union(*(variables(settings) for settings in SETTINGS.values()))
    at_the_gateway = {f"DOCUCHAT_RATE_LIMIT_{name.upper()}" for name in vars(RateLimits())}
    at_the_gateway |= {"DOCUCHAT_CORS_ORIGINS", "DOCUCHAT_TRUSTED_PROXIES"}
    assert named - known == at_the_gateway | {"DOCUCHAT_HOME", "DOCUCHAT_PORT", "OTEL_EXPORTER_OTLP_ENDPOINT"}


def test_each_setting_of_the_example_reaches_a_container():
    text = (ROOT / "docker-compose.yml").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    handed_on = set(re.findall(r"\$\{(\w+)", text)) | set(re.findall(r"^ +([A-Z_]+):$", text, re.MULTILINE))
    assert named - handed_on == LOCAL


def test_foreign_images_are_pinned_to_what_was_tested(services):
    locked = re.search(r'name = "qdrant-client"\nversion = "([\d.]+)"', (ROOT / "uv.lock").read_text())[1]
    assert services["qdrant"]["image"] == f"qdrant/qdrant:v{locked}"
    assert re.fullmatch(r"postgres:18\.\d+", services["postgres"]["image"])
    assert re.search(r"astral-sh/uv:\d+\.\d+\.\d+ ", (ROOT / "deploy/docker/Dockerfile").read_text())


def test_what_make_secrets_writes_is_never_committed():
    assert {"deploy/docker/secrets/", ".env"} <= set((ROOT / ".gitignore").read_text().splitlines())
