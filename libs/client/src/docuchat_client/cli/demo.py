"""demo: from nothing to cited answers on a running stack, in an account made for it."""

import secrets
from importlib.resources import files

import typer

from docuchat.ingestion.v1.document_pb2 import Document
from docuchat_client.cli.answers import print_answer
from docuchat_client.cli.running import JsonFlag, run
from docuchat_client.cli.terminal import Terminal, to_dict
from docuchat_client.client import DocuChat

SAMPLES = ("handbook.md", "leave-policy.fa.md")
QUESTIONS = ("How many days of paid leave do new employees get?", "مرخصی زایمان چند هفته است؟")


def add_commands(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("demo")(show_demo)


def show_demo(*, as_json: JsonFlag = False) -> None:
    """Uploads two samples to a new account and asks them."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        await sign_up_for_demo(client, terminal)
        for name in SAMPLES:
            document = await upload_sample(client, name)
            if as_json:
                terminal.print_json({"document": to_dict(document)})
            terminal.note(f"{name}: {document.chunk_count} chunks, ready")
        for question in QUESTIONS:
            if not as_json:
                terminal.print_line(f"\n> {question}\n")
            await print_answer(terminal, client.ask(question))

    run(work, as_json=as_json, stored=False)


async def sign_up_for_demo(client: DocuChat, terminal: Terminal) -> None:
    """Makes an account that nobody will log in to again; its tokens stay in memory."""
    email = f"demo-{secrets.token_hex(6)}@example.org"
    await client.sign_up(email, secrets.token_urlsafe(24), display_name="Demo", tenant_name="Demo")
    terminal.note(f"Signed up {email}")


async def upload_sample(client: DocuChat, name: str) -> Document:
    """Uploads a document of this package; returns it once it is READY."""
    content = files("docuchat_client").joinpath("samples", name).read_bytes()
    document = await client.upload(content, filename=name)
    return await client.wait_until_ready(document.document_id)
