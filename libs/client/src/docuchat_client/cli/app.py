"""The commands together, and the entry point."""

import typer

from docuchat.common.v1.status_service_pb2 import ServingStatus
from docuchat_client.cli import account, admin, demo, documents, questions
from docuchat_client.cli.running import JsonFlag, run
from docuchat_client.cli.terminal import Terminal, add_row, make_table, to_dict
from docuchat_client.client import DocuChat

HELP = """Upload documents and ask them. Every claim of an answer names its exact source.

DOCUCHAT_URL is the gateway (default http://127.0.0.1:8080), DOCUCHAT_TOKEN an access token in place of
a log-in, DOCUCHAT_PASSWORD the password for sign-up and login, DOCUCHAT_NEW_PASSWORD the one to set.

Exit codes: 0 done, 1 failed, 2 wrong usage."""


def build_app() -> typer.Typer:
    """Returns the command line."""
    app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    for part in (account, documents, questions, admin, demo):
        part.add_commands(app)
    app.command("status")(show_status)
    return app


def show_status(*, as_json: JsonFlag = False) -> None:
    """Shows every service; fails if one does not serve."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        components = await client.status()
        if as_json:
            terminal.print_json({"components": [to_dict(component) for component in components]})
        else:
            table = make_table("service", "dependency", "version", "state")
            for row in components:
                add_row(table, row.service, row.dependency, row.version, ServingStatus.Name(row.state))
            terminal.print_table(table)
        if any(row.state != ServingStatus.SERVING for row in components):
            raise typer.Exit(1)

    run(work, as_json=as_json, stored=False)


def main() -> None:
    """Runs the command line."""
    build_app()(prog_name="docuchat")
