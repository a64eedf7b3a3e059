"""An answer as it streams, and the table of the sources it rests on."""

from collections.abc import AsyncIterator

from docuchat.chat.v1.ask_event_pb2 import AskCompleted, AskError, AskEvent
from docuchat.chat.v1.citation_pb2 import Citation
from docuchat_client.cli.terminal import Terminal, add_row, make_table
from docuchat_client.errors import DocuChatError

QUOTE_CHARACTERS = 160


async def print_answer(terminal: Terminal, events: AsyncIterator[AskEvent]) -> None:
    """Prints an answer while it comes: one JSON line per event, or text and then sources.

    Raises DocuChatError for an answer that ends in an error, or does not end.
    """
    citations, last = list[Citation](), AskEvent()
    async for event in events:
        last = event
        if terminal.as_json:
            terminal.print_json(event)
        elif event.HasField("text_delta"):
            terminal.print_piece(event.text_delta.text)
        elif event.HasField("citation"):
            citations.append(event.citation)
    if not terminal.as_json:
        terminal.print_line("\n")
        print_sources(terminal, citations)
    finish(terminal, last)


def finish(terminal: Terminal, last: AskEvent) -> None:
    """Notes who answered and how fast. Raises DocuChatError if the last event is not `completed`."""
    if last.HasField("error"):
        raise to_error(last.error)
    if not last.HasField("completed"):
        raise DocuChatError("UNAVAILABLE", "ANSWER_CUT_OFF", "The answer broke off; ask again.")
    terminal.note(describe_end(last.completed))
    waiting = last.completed.documents_in_progress
    if waiting:
        terminal.note(f"Documents still being processed: {waiting}. Ask again afterwards: the answer may be in them.")


def to_error(error: AskError) -> DocuChatError:
    """Returns an in-band error as the exception that a failed call raises."""
    return DocuChatError(error.code, error.reason, error.message)


def describe_end(completed: AskCompleted) -> str:
    """Returns one line about an answer that is whole."""
    first, whole = completed.time_to_first_token_ms, completed.latency_ms
    who = "/".join(filter(None, (completed.provider, completed.model)))
    return f"{who}, first text after {first} ms, {whole} ms in all, conversation {completed.conversation_id}"


def print_sources(terminal: Terminal, citations: list[Citation]) -> None:
    """Prints what each number in the answer stands for."""
    if not citations:
        return
    table = make_table("", "file", "page", "quote", "check", title="Sources")
    for citation in citations:
        name = "(deleted)" if citation.check == Citation.SOURCE_DELETED else citation.filename
        page = citation.page_number or "-"
        add_row(table, f"[{citation.marker}]", name, page, shorten(citation.quote), name_check(citation.check))
    terminal.print_table(table)


def name_check(check: int) -> str:
    """Returns the name of a check; its number, if a newer server has checks that this client does not know."""
    return Citation.Check.Name(check) if check in Citation.Check.values() else str(check)


def shorten(text: str) -> str:
    """Returns text on one line, cut after 160 characters."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_CHARACTERS else line[: QUOTE_CHARACTERS - 1] + "…"
