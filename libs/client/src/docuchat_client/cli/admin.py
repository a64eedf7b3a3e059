"""admin ...: what the operating company does with tenants, users and keys."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from docuchat.auth.v1.erasure_pb2 import Erasure
from docuchat.auth.v1.tenant_pb2 import Tenant
from docuchat.auth.v1.user_pb2 import User
from docuchat_client.admin import Administration
from docuchat_client.cli.running import JsonFlag, run
from docuchat_client.cli.terminal import Terminal, add_row, make_table, to_dict
from docuchat_client.client import DocuChat

Answer = TypeVar("Answer")
HELP = "What the operating company does. Log in with `docuchat login --as-staff` first; every call is audited."
TenantId = Annotated[str, typer.Argument(help="The tenant's id.")]
UserId = Annotated[str, typer.Argument(help="The user's id, as `docuchat admin find-user` shows it.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the newest first.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask whether this is meant.")]


def add_commands(app: typer.Typer) -> None:
    """Adds these commands, below `admin`, to the command line."""
    admin = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    admin.command("create-tenant")(create_tenant)
    admin.command("tenants")(list_tenants)
    admin.command("suspend-tenant")(suspend_tenant)
    admin.command("resume-tenant")(resume_tenant)
    admin.command("set-plan")(set_plan)
    admin.command("erase-tenant")(erase_tenant)
    admin.command("find-user")(find_user)
    admin.command("deactivate-user")(deactivate_user)
    admin.command("reactivate-user")(reactivate_user)
    admin.command("erase-user")(erase_user)
    admin.command("audit")(list_audit_events)
    admin.command("rotate-keys")(rotate_keys)
    app.add_typer(admin, name="admin")


def create_tenant(
    name: Annotated[str, typer.Argument(help="The name shown to people.")],
    owner_email: Annotated[str, typer.Argument(help="Who shall own it; an invitation is mailed.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Makes a tenant and invites its owner."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        made = await client.admin.create_tenant(name, owner_email)
        if as_json:
            terminal.print_json(made)
            return
        terminal.print_line(f"{made.tenant.display_name}  {made.tenant.tenant_id}")
        until = show_time(made.invitation.expire_time)
        terminal.print_line(f"An invitation is on its way to {made.invitation.email}, good until {until}.")

    run(work, as_json=as_json)


def list_tenants(*, limit: Limit = 50, as_json: JsonFlag = False) -> None:
    """Lists tenants."""
    show_tenants(lambda admin: admin.list_tenants(limit), as_json=as_json)


def suspend_tenant(tenant_id: TenantId, *, as_json: JsonFlag = False) -> None:
    """Ends every session in a tenant and lets nobody in."""
    show_tenants(lambda admin: one(admin.suspend_tenant(tenant_id)), as_json=as_json)


def resume_tenant(tenant_id: TenantId, *, as_json: JsonFlag = False) -> None:
    """Opens a suspended tenant again."""
    show_tenants(lambda admin: one(admin.resume_tenant(tenant_id)), as_json=as_json)


def set_plan(
    tenant_id: TenantId,
    plan_id: Annotated[str, typer.Argument(help="The plan: free, pro or enterprise.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Gives a tenant a plan that nobody pays for."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        given = await client.admin.set_tenant_plan(tenant_id, plan_id)
        if as_json:
            terminal.print_json(given)
        else:
            terminal.print_line(f"{given.tenant_id} has the plan {given.plan.display_name}.")

    run(work, as_json=as_json)


def erase_tenant(tenant_id: TenantId, *, sure: Sure = False, as_json: JsonFlag = False) -> None:
    """Removes a tenant with everything in it, for good."""
    ask_whether_meant(f"Erase the tenant {tenant_id} with all its documents and conversations?", sure=sure)
    show_receipt(lambda admin: admin.erase_tenant(tenant_id), as_json=as_json)


def find_user(
    email: Annotated[str, typer.Argument(help="The address; case does not matter.")], *, as_json: JsonFlag = False
) -> None:
    """Shows the users that have an address."""
    show_users(lambda admin: admin.find_users(email), as_json=as_json)


def deactivate_user(user_id: UserId, *, as_json: JsonFlag = False) -> None:
    """Ends every session of a user and lets the user in nowhere."""
    show_users(lambda admin: one(admin.deactivate_user(user_id)), as_json=as_json)


def reactivate_user(user_id: UserId, *, as_json: JsonFlag = False) -> None:
    """Lets a deactivated user in again."""
    show_users(lambda admin: one(admin.reactivate_user(user_id)), as_json=as_json)


def erase_user(user_id: UserId, *, sure: Sure = False, as_json: JsonFlag = False) -> None:
    """Removes a user with all that is the user's alone, for good."""
    ask_whether_meant(f"Erase the user {user_id}?", sure=sure)
    show_receipt(lambda admin: admin.erase_user(user_id), as_json=as_json)


def list_audit_events(
    *,
    tenant_id: Annotated[str, typer.Option(help="The tenant; all of them if absent.")] = "",
    limit: Limit = 50,
    as_json: JsonFlag = False,
) -> None:
    """Lists who did what."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        events = await client.admin.list_audit_events(limit, tenant_id)
        if as_json:
            terminal.print_json({"audit_events": [to_dict(each) for each in events]})
            return
        table = make_table("when", "action", "role", "by", "tenant", "about", "details")
        for each in events:
            details = ", ".join(f"{name}={value}" for name, value in sorted(each.details.items()))
            who = each.actor_display_name or each.actor_user_id
            when = show_time(each.create_time)
            add_row(table, when, each.action, each.actor_role, who, each.tenant_id, each.target_id, details)
        terminal.print_table(table)

    run(work, as_json=as_json)


def rotate_keys(*, as_json: JsonFlag = False) -> None:
    """Makes the next key that tokens are signed with; no token is refused on the way."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        made = await client.admin.rotate_keys()
        if as_json:
            terminal.print_json(made)
        else:
            terminal.print_line(f"{made.key_id} signs from {show_time(made.sign_time)} on.")

    run(work, as_json=as_json)


def show_tenants(ask: Callable[[Administration], Awaitable[Sequence[Tenant]]], *, as_json: bool) -> None:
    """Shows the tenants that a call answers with."""

    def row(tenant: Tenant) -> tuple[str, ...]:
        state = f"suspended {show_time(tenant.suspend_time)}" if tenant.HasField("suspend_time") else "open"
        return tenant.display_name, tenant.tenant_id, show_time(tenant.create_time), state

    show(ask, "tenants", ("tenant", "id", "created", "state"), row, as_json=as_json)


def show_users(ask: Callable[[Administration], Awaitable[Sequence[User]]], *, as_json: bool) -> None:
    """Shows the users that a call answers with."""

    def row(user: User) -> tuple[str, ...]:
        verified = "verified" if user.is_email_verified else "not verified"
        state = "active" if user.is_active else "deactivated"
        return user.display_name, user.user_id, user.email, verified, state, "staff" if user.is_staff else ""

    show(ask, "users", ("user", "id", "address", "", "state", ""), row, as_json=as_json)


def show(
    ask: Callable[[Administration], Awaitable[Sequence[Message]]],
    name: str,
    headings: tuple[str, ...],
    row: Callable[..., tuple[str, ...]],
    *,
    as_json: bool,
) -> None:
    """Shows what a call answers with, as JSON or as a table."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        found = await ask(client.admin)
        if as_json:
            terminal.print_json({name: [to_dict(each) for each in found]})
            return
        table = make_table(*headings)
        for each in found:
            add_row(table, *row(each))
        terminal.print_table(table)

    run(work, as_json=as_json)


def show_receipt(ask: Callable[[Administration], Awaitable[Erasure]], *, as_json: bool) -> None:
    """Shows the receipt of an erasure that has begun."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        erasure = await ask(client.admin)
        if as_json:
            terminal.print_json(erasure)
        else:
            terminal.print_line(f"The erasure has begun; its receipt is at /v1/erasures/{erasure.erasure_id}.")

    run(work, as_json=as_json)


def ask_whether_meant(question: str, *, sure: bool) -> None:
    """Goes on only if somebody says yes. Raises Abort."""
    if not sure:
        typer.confirm(f"{question} This cannot be undone.", abort=True, err=True)


async def one(call: Awaitable[Answer]) -> list[Answer]:
    """Returns what a call answers with, as a list."""
    return [await call]


def show_time(moment: Timestamp) -> str:
    """Returns a time to the minute."""
    return f"{moment.ToDatetime():%Y-%m-%d %H:%M} UTC"
