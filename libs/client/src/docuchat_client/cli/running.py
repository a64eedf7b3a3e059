"""Running a command: the client it uses, and what its failure looks like."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from docuchat_client.cli.terminal import Terminal
from docuchat_client.client import DocuChat
from docuchat_client.credentials import Credentials, CredentialsUnreadable, default_path
from docuchat_client.errors import DocuChatError, GatewayUnreachable
from docuchat_client.session import Tokens

DEFAULT_URL = "http://127.0.0.1:8080"
LOG_IN_REASONS = {"TOKEN_EXPIRED", "TOKEN_INVALID", "INVALID_REFRESH_TOKEN"}

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
Work = Callable[[DocuChat, Terminal], Awaitable[None]]


def gateway_url() -> str:
    """Returns the gateway's address, from DOCUCHAT_URL."""
    return (os.environ.get("DOCUCHAT_URL") or DEFAULT_URL).rstrip("/")


def run(work: Work, *, as_json: bool, stored: bool = True) -> None:
    """Runs a command's work with a client. Exits with 1, after saying why, if it fails.

    `stored`: whether tokens are read from, and written to, the credentials file;
    DOCUCHAT_TOKEN stands in for them.
    """
    terminal = Terminal(as_json=as_json)
    try:
        asyncio.run(_run(work, terminal, stored=stored))
    except DocuChatError as error:
        fail(terminal, error)
    except (CredentialsUnreadable, OSError, ValueError) as error:
        terminal.complain(str(error))
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        terminal.complain("Interrupted.")
        raise typer.Exit(1) from error


async def _run(work: Work, terminal: Terminal, *, stored: bool) -> None:
    async with open_client(stored=stored) as client:
        await work(client, terminal)


def open_client(*, stored: bool) -> DocuChat:
    """Returns a client with the tokens of DOCUCHAT_TOKEN, or of the credentials file, if any."""
    url, token = gateway_url(), os.environ.get("DOCUCHAT_TOKEN", "")
    if token or not stored:
        return DocuChat.connect(url, access_token=token if stored else "")
    credentials = Credentials(default_path())

    def save(tokens: Tokens) -> None:
        credentials.save(url, tokens)

    found = credentials.load(url) or Tokens("")
    return DocuChat.connect(
        url,
        access_token=found.access_token,
        refresh_token=found.refresh_token,
        device_token=found.device_token,
        on_tokens=save,
    )


def fail(terminal: Terminal, error: DocuChatError) -> None:
    """Says on stderr what failed and what helps, and exits with 1."""
    terminal.complain(describe(error))
    raise typer.Exit(1) from error


def describe(error: DocuChatError) -> str:
    """Returns the sentence, the reason, and a hint where one helps."""
    if isinstance(error, GatewayUnreachable):
        hint = "Start the stack with `make run`, or set DOCUCHAT_URL."
        return f"Nothing answers at {gateway_url()}. {hint} [{error.reason}]"
    if error.reason == "TOKEN_MISSING":
        return f"You are not logged in. Run `docuchat login` or `docuchat sign-up`. [{error.reason}]"
    request_id = error.metadata.get("request_id", "")
    where = f", request {request_id}" if request_id else ""
    hint = " Run `docuchat login`." if error.reason in LOG_IN_REASONS else ""
    if error.retry_after_seconds:
        hint = f" Try again in {error.retry_after_seconds:.0f} s."
    return f"{error.message}{hint} [{error.reason or error.code}{where}]"
