"""sign-up, login, logout, whoami, and what looks after the account: verify-email, passwords, sessions."""

import asyncio
import os
from typing import Annotated

import typer

from docuchat.auth.v1.tenant_pb2 import Membership
from docuchat_client.cli.running import JsonFlag, gateway_url, run
from docuchat_client.cli.terminal import Terminal, add_row, make_table, to_dict
from docuchat_client.client import DocuChat
from docuchat_client.credentials import Credentials, default_path

Email = Annotated[str, typer.Argument(help="Your e-mail address.")]


def add_commands(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command("sign-up")(sign_up)
    app.command("login")(log_in)
    app.command("logout")(log_out)
    app.command("whoami")(show_me)
    app.command("verify-email")(verify_email)
    app.command("change-password")(change_password)
    app.command("reset-password")(reset_password)
    app.command("sessions")(show_sessions)
    app.command("end-session")(end_session)


def ask_password(*, confirm: bool, variable: str = "DOCUCHAT_PASSWORD", prompt: str = "Password") -> str:
    """Returns a password, from a variable or typed without echo; a command line can be read by others."""
    found = os.environ.get(variable)
    return found or str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def ask_new_password() -> str:
    """Returns the password to set."""
    return ask_password(confirm=True, variable="DOCUCHAT_NEW_PASSWORD", prompt="New password")


def ask_code() -> str:
    """Returns the code of the mail."""
    return str(typer.prompt("Code from the mail", err=True)).strip()


async def type_code() -> str:
    """Asks for the code while the connection lives on."""
    return await asyncio.to_thread(ask_code)


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
    by_code: Annotated[bool, typer.Option("--code", help="Have a code mailed in place of the password.")] = False,
    as_staff: Annotated[bool, typer.Option(help="Work for the operating company in this session.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Logs in; the tokens are stored for this gateway."""
    if by_code and as_staff:
        raise typer.BadParameter("staff log in with their password")
    password = "" if by_code else ask_password(confirm=False)

    async def work(client: DocuChat, terminal: Terminal) -> None:
        if by_code:
            await client.request_code(email)
            await client.log_in_by_code(email, await type_code(), tenant_id=tenant_id)
        else:
            await client.log_in(email, password, tenant_id=tenant_id, as_staff=as_staff)
        if as_json:
            terminal.print_json({"logged_in": True, "url": gateway_url()})
        else:
            terminal.print_line(f"Logged in to {gateway_url()}.")

    run(work, as_json=as_json)


def log_out(
    *,
    everywhere: Annotated[bool, typer.Option(help="End your sessions on all devices.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ends the session and forgets its tokens."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        # First here: a gateway that does not answer must not keep anyone logged in on this machine.
        Credentials(default_path()).remove(gateway_url())
        await client.log_out(everywhere=everywhere)
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


def verify_email(*, as_json: JsonFlag = False) -> None:
    """Has a code mailed and verifies your address with it."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        await client.request_email_verification()
        user = await client.verify_email(await type_code())
        if as_json:
            terminal.print_json(user)
        else:
            terminal.print_line(f"{user.email} is verified.")

    run(work, as_json=as_json)


def change_password(*, as_json: JsonFlag = False) -> None:
    """Sets a new password and ends your other sessions; DOCUCHAT_NEW_PASSWORD stands in for typing it."""
    current, new = ask_password(confirm=False), ask_new_password()

    async def work(client: DocuChat, terminal: Terminal) -> None:
        await client.change_password(current, new)
        say_done(
            terminal, {"changed": True}, "The new password is set; your other sessions have ended.", as_json=as_json
        )

    run(work, as_json=as_json)


def reset_password(email: Email, *, as_json: JsonFlag = False) -> None:
    """Has a code mailed and sets a new password with it; all your sessions end."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        await client.request_password_reset(email)
        code = await type_code()
        await client.reset_password(email, code, await asyncio.to_thread(ask_new_password))
        say_done(terminal, {"reset": True}, "The new password is set. Run `docuchat login`.", as_json=as_json)

    run(work, as_json=as_json)


def show_sessions(*, as_json: JsonFlag = False) -> None:
    """Shows where you are logged in."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        sessions = await client.list_sessions()
        if as_json:
            terminal.print_json({"sessions": [to_dict(each) for each in sessions]})
            return
        table = make_table("session", "device", "address", "last used", "")
        for each in sessions:
            used = f"{each.last_use_time.ToDatetime():%Y-%m-%d %H:%M} UTC"
            add_row(table, each.session_id, each.device, each.address, used, "*" if each.is_current else "")
        terminal.print_table(table)

    run(work, as_json=as_json)


def end_session(
    session_id: Annotated[str, typer.Argument(help="Which one, as `docuchat sessions` shows it.")] = "",
    *,
    others: Annotated[bool, typer.Option(help="All but this one.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ends one of your sessions, or all others."""
    if bool(session_id) == others:
        raise typer.BadParameter("name a session, or say --others")

    async def work(client: DocuChat, terminal: Terminal) -> None:
        ended = await client.end_other_sessions() if others else 1
        if not others:
            await client.end_session(session_id)
        say_done(terminal, {"ended": ended}, f"Ended: {ended}.", as_json=as_json)

    run(work, as_json=as_json)


def say_done(terminal: Terminal, answer: dict[str, object], line: str, *, as_json: bool) -> None:
    """Says that something is done."""
    if as_json:
        terminal.print_json(answer)
    else:
        terminal.print_line(line)
