"""The program every service is: `python -m <service> [serve | migrate | check-settings | ...]`."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

from servicekit.config import MigrationSettings, WrongSetting
from servicekit.errors import AppError, Code
from servicekit.migrations import run_migrations

# The exit codes: 1 may pass, so trying again makes sense; 2 will not before somebody changes a setting or the command.
FAILED, MISUSED = 1, 2
SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def accept(_settings: object) -> None:
    """Finds nothing wrong beyond what the settings class finds."""


@dataclass(frozen=True)
class Command(Generic[SettingsT]):
    """One word of a program: the settings it reads, and what it does with them and its parameters."""

    settings: type[SettingsT]
    run: Callable[..., Awaitable[None]]
    check: Callable[[SettingsT], object] = accept
    """Raises WrongSetting for what only a look outside shows, such as a key file that is not there."""
    parameters: tuple[str, ...] = ()


def run_program(name: str, commands: Mapping[str, Command[Any]], arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the arguments name, serve if none. Returns the exit code: 0, 1 or 2.

    `migrate` and `check-settings` are there for every service. The latter
    validates what all processes of the service read and starts none.
    """
    known = {**commands, "migrate": Command(MigrationSettings, partial(migrate, name))}
    word, *given = (sys.argv[1:] if arguments is None else arguments) or ["serve"]
    if word == "check-settings" and not given:
        return complain(name, find_mistakes(commands.values()))
    if word not in known or len(given) != len(known[word].parameters):
        sys.stderr.write(f"usage: python -m {name} [{' | '.join(describe_commands(known))}]\n")
        return MISUSED
    return run_command(name, known[word], given)


def describe_commands(commands: Mapping[str, Command[Any]]) -> list[str]:
    """Returns each command with its parameters."""
    return [" ".join((word, *command.parameters)) for word, command in commands.items()] + ["check-settings"]


def run_command(name: str, command: Command[Any], given: Sequence[str]) -> int:
    """Runs one command with the settings of the environment."""
    mistakes = find_mistakes([command])
    if mistakes:
        return complain(name, mistakes)
    try:
        asyncio.run(run(command, given))
    except WrongSetting as error:
        return complain(name, [str(error)])
    except AppError as error:
        sys.stderr.write(f"{name} ends: {error.message}\n")
        return MISUSED if error.code is Code.FAILED_PRECONDITION else FAILED
    return 0


async def run(command: Command[Any], given: Sequence[str]) -> None:
    """Awaits what the command does."""
    await command.run(command.settings(), *given)


async def migrate(service: str, settings: MigrationSettings) -> None:
    """Brings a service's schema up to date."""
    await run_migrations(service, settings.owner_database_url.get_secret_value())


def complain(name: str, mistakes: Sequence[str]) -> int:
    """Prints a sentence for each mistake; returns the exit code."""
    for mistake in mistakes:
        sys.stderr.write(f"{name} does not start: {mistake}\n")
    return MISUSED if mistakes else 0


def find_mistakes(commands: Iterable[Command[Any]]) -> list[str]:
    """Returns what is wrong with the settings that commands read, each mistake once."""
    return list(dict.fromkeys(mistake for command in commands for mistake in find_mistakes_of(command)))


def find_mistakes_of(command: Command[Any]) -> Iterator[str]:
    """Yields what is wrong with the settings of one command."""
    try:
        command.check(command.settings())
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        yield from (describe_mistake(command.settings, mistake) for mistake in found)
    except SettingsError as error:
        yield describe_unreadable(command.settings, error)
    except WrongSetting as error:
        yield str(error)


def describe_mistake(settings: type[BaseSettings], mistake: ErrorDetails) -> str:
    """Returns a sentence that names the variable and says what it must be."""
    said = mistake["msg"].removeprefix("Value error, ")
    if not mistake["loc"]:
        return said
    field, *inside = mistake["loc"]
    variable = name_variable(settings, str(field))
    if mistake["type"] == "missing" and not inside:
        return f"{variable} is not set"
    within = f" ({'.'.join(map(str, inside))})" if inside else ""
    return f"{variable}{within}: {said[:1].lower()}{said[1:]}"


def describe_unreadable(settings: type[BaseSettings], error: SettingsError) -> str:
    """Returns the sentence for a list or a mapping that is no JSON; the error itself would quote it."""
    field = re.search(r'field "(\w+)"', str(error))
    return f"{name_variable(settings, field[1]) if field else 'a setting'}: must be JSON"


def name_variable(settings: type[BaseSettings], field: str) -> str:
    """Returns the environment variable of a field, which pydantic names by alias where it has one."""
    if field not in settings.model_fields:
        return field
    alias = settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"{settings.model_config.get('env_prefix', '')}{field}".upper()
