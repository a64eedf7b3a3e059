"""sign-up, login, logout, whoami."""

import os
from typing import Annotated

import typer

from docuchat.auth.v1.tenant_pb2 import Membership
from docuchat_client.cli.running import JsonFlag, gateway_url, run
from docuchat_client.cli.terminal import Terminal, add_row, make_table
from docuchat_client.client import DocuChat
from docuchat_client.credentials import Credentials, default_path

Email = Annotated[str, typer.Argument(help="Your e-mail address.")]


def add_commands(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command("sign-up")(sign_up)
    app.command("login")(log_in)
    app.command("logout")(log_out)
    app.command("whoami")(show_me)


def ask_password(*, confirm: bool) -> str:
    """Returns the password, from DOCUCHAT_PASSWORD or typed without echo; a command line can be read by others."""
    found = os.environ.get("DOCUCHAT_PASSWORD")
    return found or str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))


def sign_up(
    email: Email,
    *,
    name: Annotated[str, typer.Option(help="The name shown to others.")] = "",
    tenant: Annotated[str, typer.Option(help="Your organisation's name.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Creates an account and logs in."""
    password = ask_password(confirm=True)

    async def work(client: DocuChat, terminal: Terminal) -> None:
        answer = await client.sign_up(email, password, display_name=name, tenant_name=tenant)
        answer.ClearField("tokens")
        if as_json:
            terminal.print_json(answer)
        else:
            terminal.print_line(f"Welcome, {answer.user.display_name}. You own {answer.tenant.display_name}.")

    run(work, as_json=as_json)


def log_in(
    email: Email,
    *,
    tenant_id: Annotated[str, typer.Option(help="The tenant to work in; your oldest if absent.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Logs in; the tokens are stored for this gateway."""
    password = ask_password(confirm=False)

    async def work(client: DocuChat, terminal: Terminal) -> None:
        await client.log_in(email, password, tenant_id=tenant_id)
        if as_json:
            terminal.print_json({"logged_in": True, "url": gateway_url()})
        else:
            terminal.print_line(f"Logged in to {gateway_url()}.")

    run(work, as_json=as_json)


def log_out(*, as_json: JsonFlag = False) -> None:
    """Ends the session and forgets its tokens."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        # First here: a gateway that does not answer must not keep anyone logged in on this machine.
        Credentials(default_path()).remove(gateway_url())
        await client.log_out()
        if as_json:
            terminal.print_json({"logged_in": False, "url": gateway_url()})
        else:
            terminal.print_line("Logged out.")

    run(work, as_json=as_json)


def show_me(*, as_json: JsonFlag = False) -> None:
    """Shows who you are and which tenants you belong to."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        me = await client.me()
        if as_json:
            terminal.print_json(me)
            return
        terminal.print_line(f"{me.user.display_name} <{me.user.email}>  {me.user.user_id}")
        table = make_table("tenant", "id", "role", "")
        for membership in me.memberships:
            tenant, role = membership.tenant, Membership.Role.Name(membership.role)
            add_row(table, tenant.display_name, tenant.tenant_id, role, "*" if tenant.tenant_id == me.tenant_id else "")
        terminal.print_table(table)

    run(work, as_json=as_json)
