"""upload, documents list|get|delete."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from docuchat.ingestion.v1.document_pb2 import Document
from docuchat_client.cli.running import JsonFlag, describe, run
from docuchat_client.cli.terminal import Terminal, add_row, make_table, show_safely, to_dict
from docuchat_client.client import DocuChat
from docuchat_client.documents import READY_SECONDS, DocumentNotUsable, NotReadyInTime
from docuchat_client.errors import DocuChatError

DocumentId = Annotated[str, typer.Argument(help="The document's id.", metavar="DOCUMENT_ID")]
State = Document.State


def add_commands(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command("upload")(upload)
    group = typer.Typer(no_args_is_help=True, help="List, show and delete documents.")
    group.command("list")(list_documents)
    group.command("get")(get_document)
    group.command("delete")(delete_document)
    app.add_typer(group, name="documents")


def upload(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files to upload.", metavar="FILE...", exists=True, dir_okay=False, readable=True),
    ],
    *,
    collection: Annotated[str, typer.Option(help="The collection's id; your private default if absent.")] = "",
    wait: Annotated[bool, typer.Option(help="Wait until the documents can be asked.")] = True,
    limit: Annotated[float, typer.Option(help="Seconds to wait for each.")] = READY_SECONDS,
    as_json: JsonFlag = False,
) -> None:
    """Uploads files and waits until they can be asked."""

    sizes = [(path, path.stat().st_size) for path in files]

    async def work(client: DocuChat, terminal: Terminal) -> None:
        done, failed = list[Document](), False
        with open_progress(terminal) as progress:
            for path, size in sizes:
                task = progress.add_task(f"{show_safely(path.name)} uploading", total=size or 1)
                display = Display(progress, task, show_safely(path.name))
                try:
                    done.append(await upload_one(client, display, path, collection, limit if wait else 0))
                except (DocumentNotUsable, NotReadyInTime) as error:
                    # It is stored all the same: whoever uploaded it needs its id.
                    failed = True
                    done.append(error.document)
                    terminal.complain(describe(error))
                except DocuChatError as error:
                    failed = True
                    terminal.complain(f"{path.name}: {describe(error)}")
        print_documents(terminal, done)
        if failed:
            raise typer.Exit(1)

    run(work, as_json=as_json)


def open_progress(terminal: Terminal) -> Progress:
    """Returns the display of running uploads; it shows on a person's terminal only."""
    disable = terminal.as_json or not terminal.err.is_terminal
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    return Progress(*columns, TimeElapsedColumn(), console=terminal.err, transient=True, disable=disable)


@dataclass(frozen=True)
class Display:
    """The progress bar of one file."""

    progress: Progress
    task: TaskID
    name: str

    def show_sent(self, sent: int) -> None:
        """Shows how many bytes are sent."""
        self.progress.update(self.task, completed=sent)

    def show_document(self, document: Document) -> None:
        """Shows the state, and how many chunks are indexed; a bar without a length before they are counted."""
        state, total = State.Name(document.state).lower(), document.chunk_count or None
        done = document.indexed_chunk_count
        self.progress.update(self.task, description=f"{self.name} {state}", completed=done, total=total)


async def upload_one(client: DocuChat, display: Display, path: Path, collection: str, limit: float) -> Document:
    """Uploads a file and follows it; a limit of 0 does not wait. Returns the document as last seen."""
    document = await client.upload(path, collection_id=collection, on_sent=display.show_sent)
    if not limit:
        return document
    return await client.wait_until_ready(document.document_id, on_progress=display.show_document, limit_seconds=limit)


def print_documents(terminal: Terminal, documents: list[Document]) -> None:
    """Prints documents as a table, or as one JSON object."""
    if terminal.as_json:
        terminal.print_json({"documents": [to_dict(document) for document in documents]})
        return
    if not documents:
        return
    table = make_table("file", "id", "state", "pages", "chunks", "tokens", "language")
    for row in documents:
        state = f"{State.Name(row.state)} {row.state_reason}".strip()
        pages = row.page_count or "-"
        add_row(table, row.filename, row.document_id, state, pages, row.chunk_count, row.token_count, row.language)
    terminal.print_table(table)


def list_documents(
    *,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Lists your documents, newest first."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        found = list[Document]()
        async for document in client.documents():
            found.append(document)
            if len(found) == limit:
                break
        print_documents(terminal, found)
        if not found:
            terminal.note("No documents yet: `docuchat upload FILE`.")

    run(work, as_json=as_json)


def get_document(document_id: DocumentId, *, as_json: JsonFlag = False) -> None:
    """Shows one document."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        document = await client.document(document_id)
        if as_json:
            terminal.print_json(document)
            return
        table = make_table("field", "value")
        for name, value in to_dict(document).items():
            add_row(table, name, value)
        terminal.print_table(table)

    run(work, as_json=as_json)


def delete_document(document_id: DocumentId, *, as_json: JsonFlag = False) -> None:
    """Deletes a document."""

    async def work(client: DocuChat, terminal: Terminal) -> None:
        await client.delete_document(document_id)
        if as_json:
            terminal.print_json({"deleted": document_id})
        else:
            terminal.print_line(f"Deleted {document_id}.")

    run(work, as_json=as_json)
