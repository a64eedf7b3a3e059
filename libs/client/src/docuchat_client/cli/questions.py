"""search, ask, conversations."""

from typing import Annotated

import typer

from docuchat.chat.v1.conversation_pb2 import Conversation, Message
from docuchat_client.cli.answers import print_answer, shorten
from docuchat_client.cli.running import JsonFlag, run
from docuchat_client.cli.terminal import Terminal, add_row, make_table, to_dict
from docuchat_client.client import DocuChat

OnlyDocuments = Annotated[list[str] | None, typer.Option("--document", help="Only this document (repeatable).")]


def add_commands(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command("search")(search)
    app.command("ask")(ask)
    app.command("conversations")(show_conversations)


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    *,
    top_k: Annotated[int, typer.Option(help="At most this many passages.", min=1, max=50)] = 8,
    document: OnlyDocuments = None,
    as_json: JsonFlag = False,
) -> None:
    """Finds passages, best first."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        hits = await client.search(query, top_k=top_k, document_ids=document or ())
        if as_json:
            terminal.print_json({"hits": [to_dict(hit) for hit in hits]})
            return
        table = make_table("score", "file", "page", "passage")
        for hit in hits:
            add_row(table, f"{hit.score:.3f}", hit.filename, hit.page_start or "-", shorten(hit.text))
        terminal.print_table(table)
        if not hits:
            terminal.note("Nothing fits.")

    run(work, as_json=as_json)


def ask(
    question: Annotated[str, typer.Argument(help="Your question, in any language.")],
    *,
    conversation: Annotated[str, typer.Option(help="The conversation to go on with.")] = "",
    document: OnlyDocuments = None,
    as_json: JsonFlag = False,
) -> None:
    """Asks your documents; every claim names its source."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        events = client.ask(question, conversation_id=conversation, document_ids=document or ())
        await print_answer(terminal, events)

    run(work, as_json=as_json)


def show_conversations(
    conversation_id: Annotated[str, typer.Argument(help="Show the messages of this one.")] = "",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Lists your conversations, or shows one."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        if conversation_id:
            print_messages(terminal, [message async for message in client.messages(conversation_id)])
        else:
            print_conversations(terminal, [conversation async for conversation in client.conversations()])

    run(work, as_json=as_json)


def print_conversations(terminal: Terminal, conversations: list[Conversation]) -> None:
    """Prints conversations as a table, or as one JSON object."""
    if terminal.as_json:
        terminal.print_json({"conversations": [to_dict(row) for row in conversations]})
        return
    table = make_table("conversation", "last message", "title")
    for row in conversations:
        add_row(table, row.conversation_id, f"{row.update_time.ToDatetime():%Y-%m-%d %H:%M} UTC", row.title)
    terminal.print_table(table)


def print_messages(terminal: Terminal, messages: list[Message]) -> None:
    """Prints messages one after the other, or as one JSON object."""
    if terminal.as_json:
        terminal.print_json({"messages": [to_dict(row) for row in messages]})
        return
    for row in messages:
        terminal.print_line(f"{Message.Role.Name(row.role).lower()}: {row.text}\n")
