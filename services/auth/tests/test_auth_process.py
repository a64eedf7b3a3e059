"""`python -m auth` as a process of its own."""

import asyncio
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auth.__main__ import COMMANDS
from auth.model.accounts import Attempt, FailureCount, Failures, Purpose
from auth.stores.failures import PostgresFailureStore
from docuchat.auth.v1 import auth_service_pb2 as pb
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from servicekit.program import run_program
from servicekit.rpc.client import open_channel

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "tiny-secret"


@pytest.fixture
def environment(monkeypatch, key_file):
    """The least that auth starts with, and no other DOCUCHAT_ variable."""
    for name in os.environ:
        if name.startswith("DOCUCHAT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DOCUCHAT_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("DOCUCHAT_SIGNING_KEY_FILE", str(key_file))
    return monkeypatch


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("DOCUCHAT_SIGNING_KEY_FILE", None, "DOCUCHAT_SIGNING_KEY_FILE is not set"),
        ("DOCUCHAT_SIGNING_KEY_FILE", "/nowhere/key.pem", "cannot be read"),
        ("DOCUCHAT_PUBLISHED_KEY_FILES", '["/nowhere/key.pem"]', "cannot be read"),
        ("DOCUCHAT_SERVICE_SECRETS", json.dumps({"ingestion": SECRET}), "DOCUCHAT_SERVICE_SECRETS (ingestion)"),
        ("DOCUCHAT_SECRET_FILE", "/nowhere/secret", "cannot be read"),
        ("DOCUCHAT_SMTP_URL", f"ftp://me:{SECRET}@host", "DOCUCHAT_SMTP_URL: must be like smtp://"),
        ("DOCUCHAT_PASSWORD_MEMORY_KIB", "8", "DOCUCHAT_PASSWORD_MEMORY_KIB"),
        ("DOCUCHAT_PASSWORD_PASSES", "1", "DOCUCHAT_PASSWORD_PASSES"),
        ("DOCUCHAT_DATABASE_URL", None, "DOCUCHAT_DATABASE_URL is not set"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["check-settings"]])
def test_without_its_secrets_auth_refuses_to_start_and_says_why(environment, capsys, arguments, variable, value, why):
    if value is None:
        environment.delenv(variable)
    else:
        environment.setenv(variable, value)
    assert run_program("auth", COMMANDS, arguments) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("auth does not start: ")
    assert why in sentence
    assert SECRET not in sentence


def test_good_settings_pass_the_check_in_silence(environment, capsys):
    assert run_program("auth", COMMANDS, ["check-settings"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["grow"], ["unlock"], ["serve", "more"]])
def test_other_words_are_answered_with_the_usage(environment, capsys, arguments):
    assert run_program("auth", COMMANDS, arguments) == 2
    words = "serve | rotate-keys | unlock ADDRESS | make-staff ADDRESS | revoke-staff ADDRESS | migrate"
    assert f"usage: python -m auth [{words}" in capsys.readouterr().err


async def test_migrating_again_changes_nothing_and_needs_nothing_but_the_owner(environment, service_database):
    database = await service_database("auth")
    environment.setenv("DOCUCHAT_OWNER_DATABASE_URL", database.owner_url)
    for name in ("DOCUCHAT_SIGNING_KEY_FILE", "DOCUCHAT_DATABASE_URL"):
        environment.delenv(name)
    for _ in range(2):
        assert await asyncio.to_thread(run_program, "auth", COMMANDS, ["migrate"]) == 0


async def test_the_operator_unlocks_an_address(environment, service_database):
    database = await service_database("auth")
    environment.setenv("DOCUCHAT_DATABASE_URL", database.url)
    store = PostgresFailureStore(database.database)
    attempt, failed = Attempt(Purpose.CODE, "ann@example.com", "192.0.2.1"), FailureCount(100, NOW)
    await store.change(attempt, lambda _: Failures(failed, failed))
    assert await asyncio.to_thread(run_program, "auth", COMMANDS, ["unlock", "Ann@Example.com"]) == 0
    assert await store.find(attempt) == Failures()


async def test_the_operator_exchanges_the_signing_key_and_cannot_twice_at_once(environment, key_file, capsys):
    assert await asyncio.to_thread(run_program, "auth", COMMANDS, ["rotate-keys"]) == 0
    (made,) = key_file.parent.glob("signing.*.pem")
    assert "signs from 20" in capsys.readouterr().out
    assert await asyncio.to_thread(run_program, "auth", COMMANDS, ["rotate-keys"]) == 2
    assert "begins to sign in" in capsys.readouterr().err
    assert list(key_file.parent.glob("signing.*.pem")) == [made]


async def test_the_process_serves_until_it_is_told_to_stop(environment, service_database):
    database = await service_database("auth")
    with tempfile.TemporaryDirectory(prefix="auth-") as folder:
        listen = f"unix:{Path(folder) / 'rpc'}"
        settings = {"DOCUCHAT_DATABASE_URL": database.url, "DOCUCHAT_LISTEN": listen, "DOCUCHAT_DRAIN_SECONDS": "2"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auth"), env={**os.environ, **settings}, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(30), open_channel(listen) as channel:
                request = pb.SignUpRequest(email="ann@example.com", password="violet tractor hums at dawn")
                made = await AuthServiceStub(channel).SignUp(request, wait_for_ready=True, timeout=20)
                assert made.tenant.display_name == "ann"
        finally:
            process.terminate()
            _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    assert all(json.loads(line)["service"] == "auth" for line in log.decode().splitlines())
