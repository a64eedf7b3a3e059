"""The program: which command runs, and how a wrong setting is told."""

import os
import sys
from typing import Annotated, Literal

import pytest
from pydantic import Field, SecretStr, model_validator

from servicekit.config import ServiceSettings, WrongSetting
from servicekit.errors import AppError, Code, DependencyUnavailable
from servicekit.program import Command, run_program

SECRET = "canary"


class ToySettings(ServiceSettings):
    provider: Literal["", "openai"] = ""
    api_key: SecretStr = Field(default=SecretStr(""), validation_alias="OPENAI_API_KEY")
    secrets: dict[str, Annotated[SecretStr, Field(min_length=16)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _require_key(self):
        if self.provider and not self.api_key.get_secret_value():
            raise ValueError("the provider openai needs OPENAI_API_KEY")
        return self


class Toy:
    def __init__(self):
        self.ran = []
        self.error = None

    async def run(self, settings, *given):
        if self.error:
            raise self.error
        self.ran.append(given)

    def check(self, settings):
        if settings.service_secret is None:
            raise WrongSetting("DOCUCHAT_SERVICE_SECRET is not set")

    @property
    def commands(self):
        return {
            "serve": Command(ToySettings, self.run, check=self.check),
            "unlock": Command(ToySettings, self.run, parameters=("ADDRESS",)),
        }


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("DOCUCHAT_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCUCHAT_DATABASE_URL", "postgresql+asyncpg://u:p@127.0.0.1:1/x")
    monkeypatch.setenv("DOCUCHAT_SERVICE_SECRET", "a secret of its own")
    return monkeypatch


def test_serve_is_what_a_program_does_if_nothing_is_named(toy):
    assert run_program("toy", toy.commands, []) == 0
    assert run_program("toy", toy.commands, ["unlock", "ann"]) == 0
    assert toy.ran == [(), ("ann",)]


@pytest.mark.parametrize(
    "arguments", [["dance"], ["serve", "x"], ["unlock"], ["migrate", "x"], ["check-settings", "x"]]
)
def test_other_words_are_answered_with_the_usage(toy, capsys, arguments):
    assert run_program("toy", toy.commands, arguments) == 2
    known = "serve | unlock ADDRESS | migrate | check-settings"
    assert capsys.readouterr().err == f"usage: python -m toy [{known}]\n"


MISTAKES = {
    "missing": ("DOCUCHAT_DATABASE_URL", None, "DOCUCHAT_DATABASE_URL is not set"),
    "choice": ("DOCUCHAT_PROVIDER", SECRET, "DOCUCHAT_PROVIDER: input should be '' or 'openai'"),
    "together": ("DOCUCHAT_PROVIDER", "openai", "the provider openai needs OPENAI_API_KEY"),
    "inside": ("DOCUCHAT_SECRETS", f'{{"ingestion": "{SECRET}"}}', "DOCUCHAT_SECRETS (ingestion): "),
    "no JSON": ("DOCUCHAT_SECRETS", SECRET, "DOCUCHAT_SECRETS: must be JSON"),
    "level": ("DOCUCHAT_LOG_LEVEL", SECRET, "DOCUCHAT_LOG_LEVEL: input should be 'DEBUG'"),
    "address": (
        "DOCUCHAT_DATABASE_URL",
        f"mysql://{SECRET}",
        "DOCUCHAT_DATABASE_URL: must be like postgresql",
    ),
    "no address": ("DOCUCHAT_DATABASE_URL", SECRET, "DOCUCHAT_DATABASE_URL: must be like postgresql"),
    "a look outside": ("DOCUCHAT_SERVICE_SECRET", None, "DOCUCHAT_SERVICE_SECRET is not set"),
}


@pytest.mark.parametrize("arguments", [["serve"], ["check-settings"]])
@pytest.mark.parametrize(("variable", "value", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_setting_is_one_sentence_without_its_value(
    toy, environment, capsys, arguments, variable, value, sentence
):
    environment.delenv(variable, raising=False)
    if value is not None:
        environment.setenv(variable, value)
    assert run_program("toy", toy.commands, arguments) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"toy does not start: {sentence}")
    assert SECRET not in told
    assert "pydantic" not in told
    assert toy.ran == []


def test_every_mistake_is_told_once(toy, environment, capsys):
    environment.setenv("DOCUCHAT_LOG_LEVEL", "shout")
    environment.setenv("DOCUCHAT_DRAIN_SECONDS", "soon")
    assert run_program("toy", toy.commands, ["check-settings"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].strip() for line in told] == ["DOCUCHAT_LOG_LEVEL", "DOCUCHAT_DRAIN_SECONDS"]


def test_good_settings_pass_the_check_in_silence_and_nothing_is_started(toy, capsys):
    assert run_program("toy", toy.commands, ["check-settings"]) == 0
    assert capsys.readouterr().err == ""
    assert toy.ran == []


def test_migrating_asks_for_the_owners_database_and_for_nothing_else(toy, environment, capsys):
    migrated = []

    async def migrate(service, url):
        migrated.append((service, url))

    environment.setattr("servicekit.program.run_migrations", migrate)
    environment.delenv("DOCUCHAT_DATABASE_URL")
    assert run_program("toy", toy.commands, ["migrate"]) == 2
    assert capsys.readouterr().err == "toy does not start: DOCUCHAT_OWNER_DATABASE_URL is not set\n"
    environment.setenv("DOCUCHAT_OWNER_DATABASE_URL", "postgresql+asyncpg://owner:p@127.0.0.1:1/x")
    assert run_program("toy", toy.commands, ["migrate"]) == 0
    assert migrated == [("toy", "postgresql+asyncpg://owner:p@127.0.0.1:1/x")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DependencyUnavailable("postgresql"), 1),
        (AppError(Code.FAILED_PRECONDITION, "PROVIDER_MISCONFIGURED", "Correct the key."), 2),
        (WrongSetting("the socket's folder is not there"), 2),
    ],
)
def test_the_exit_code_says_whether_trying_again_makes_sense(toy, capsys, error, code):
    toy.error = error
    assert run_program("toy", toy.commands, ["serve"]) == code
    assert str(error) in capsys.readouterr().err


def test_the_command_line_is_read_where_no_arguments_are_given(toy, environment):
    environment.setattr(sys, "argv", ["toy", "unlock", "ann"])
    assert run_program("toy", toy.commands) == 0
    assert toy.ran == [("ann",)]
