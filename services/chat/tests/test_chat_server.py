import asyncio
import json
import os
import signal
import sys

import grpc
import pytest

from chat.__main__ import COMMANDS
from chat.config import Settings
from chat.errors import ProviderMisconfigured
from chat.providers.choose_provider import choose_provider
from docuchat.common.v1 import status_service_pb2
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceStub
from servicekit.program import run_program

GEMINI = ("gemini", "m")
URL = "postgresql+asyncpg://u:p@127.0.0.1:1/db"

# Each environment in a fork of its own: what all of them import is imported once.
IMPORTS = """
import json, os, sys
from chat.__main__ import COMMANDS
from chat.config import Settings
from chat.providers.choose_provider import choose_provider
from servicekit.program import run_program
for environment in json.loads(sys.argv[1]):
    if os.fork() == 0:
        os.environ.update(environment)
        choose_provider(Settings())
        assert run_program("chat", COMMANDS, ["check-settings"]) == 0
        print(*({"openai", "anthropic", "google.genai"} & set(sys.modules)), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
SDKS = {"": {}, "openai": {"OPENAI_API_KEY": "k"}, "anthropic": {"ANTHROPIC_API_KEY": "k"}} | {
    "google.genai": {"GEMINI_API_KEY": "k"}
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "DOCUCHAT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DOCUCHAT_DATABASE_URL", URL)
    monkeypatch.setenv("DOCUCHAT_SERVICE_SECRET", "the secret of chat")


@pytest.mark.parametrize(
    ("environment", "name", "model"),
    [
        ({}, "extractive", "sentences-3"),
        ({"OPENAI_API_KEY": "k"}, "openai", "gpt-4.1-mini"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_MODEL": "m"}, "openai", "m"),
        ({"OPENAI_API_KEY": "k", "DOCUCHAT_PROVIDER": "extractive"}, "extractive", "sentences-3"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "DOCUCHAT_PROVIDER": "openai"}, "openai", "gpt-4.1-mini"),
        ({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_MODEL": "claude-1"}, "anthropic", "claude-1"),
        ({"GEMINI_API_KEY": "k", "GEMINI_MODEL": "gemini-1"}, "gemini", "gemini-1"),
        ({"GEMINI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_MODEL": "m"}, "anthropic", "m"),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "OPENAI_MODEL": "m"}, "openai", "m"),
        ({"OPENAI_API_KEY": "k", "GEMINI_API_KEY": "k", "DOCUCHAT_PROVIDER": "gemini", "GEMINI_MODEL": "m"}, *GEMINI),
    ],
)
async def test_the_environment_chooses_the_provider(monkeypatch, environment, name, model):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    provider = choose_provider(Settings())
    assert (provider.name, provider.model) == (name, model)
    await provider.close()


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({"DOCUCHAT_PROVIDER": "openai"}, "OPENAI_API_KEY"),
        ({"DOCUCHAT_PROVIDER": "anthropic"}, "ANTHROPIC_API_KEY"),
        ({"DOCUCHAT_PROVIDER": "anthropic", "OPENAI_API_KEY": "k"}, "ANTHROPIC_API_KEY"),
        ({"DOCUCHAT_PROVIDER": "gemini"}, "GEMINI_API_KEY"),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, "ANTHROPIC_API_KEY"),
        ({"GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9", "GEMINI_API_KEY": ""}, "GEMINI_API_KEY"),
        ({"DOCUCHAT_PROVIDER": "oracle"}, "DOCUCHAT_PROVIDER"),
    ],
)
def test_a_provider_without_its_key_stops_the_start_and_names_the_variable(monkeypatch, capsys, environment, variable):
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert run_program("chat", COMMANDS, []) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("chat does not start: ")
    assert variable in sentence
    assert "postgresql" not in sentence


async def test_only_the_sdk_in_use_is_imported():
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = (sys.executable, "-c", IMPORTS, json.dumps(list(SDKS.values())))
    process = await asyncio.create_subprocess_exec(*command, env=unmeasured, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert output.decode().splitlines() == list(SDKS)


def test_a_model_name_that_is_none_stops_the_start(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_MODEL", "../../etc")
    with pytest.raises(ProviderMisconfigured):
        choose_provider(Settings())


@pytest.mark.parametrize(("value", "expected"), [("none", "none"), ("0.7", 0.7)])
def test_the_temperature_can_be_left_out(monkeypatch, value, expected):
    monkeypatch.setenv("DOCUCHAT_OPENAI_TEMPERATURE", value)
    assert Settings().openai_temperature == expected


def test_settings_show_no_secret(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1")
    assert "sk-canary-1" not in repr(Settings())


@pytest.mark.parametrize("arguments", [["fly"], ["serve", "now"]])
def test_an_unknown_command_explains_itself(capsys, arguments):
    assert run_program("chat", COMMANDS, arguments) == 2
    assert "usage" in capsys.readouterr().err


async def test_migrating_again_changes_nothing(monkeypatch, postgres_templates):
    async with postgres_templates.clone("chat") as database:
        monkeypatch.setenv("DOCUCHAT_OWNER_DATABASE_URL", database.owner_url)
        assert await asyncio.to_thread(run_program, "chat", COMMANDS, ["migrate"]) == 0


async def test_the_process_serves_and_stops_in_order(tmp_path, chat_database_url):
    listen = f"unix:{tmp_path}/chat.sock"
    environment = {**os.environ, "DOCUCHAT_DATABASE_URL": chat_database_url, "DOCUCHAT_LISTEN": listen}
    for peer in ("AUTH", "RETRIEVAL", "INGESTION"):
        environment[f"DOCUCHAT_{peer}_TARGET"] = f"unix:{tmp_path}/none.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chat", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with grpc.aio.insecure_channel(listen) as channel:
            status = StatusServiceStub(channel).GetStatus(
                status_service_pb2.GetStatusRequest(), wait_for_ready=True, timeout=60
            )
            components = {(row.service, row.dependency): row.state for row in (await status).components}
        assert components["chat", "postgresql"] == status_service_pb2.SERVING
        assert components["retrieval", ""] == status_service_pb2.NOT_SERVING
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, log.decode()
