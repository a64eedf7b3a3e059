"""Rows of schema chat, to the nouns and back."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from chat.model import (
    Check,
    Citation,
    Conversation,
    Message,
    MessageRole,
    MessageState,
    Owner,
    TurnOutcome,
    Usage,
)
from servicekit.metering.model import UsageEntry
from servicekit.metering.outbox import write_entry

Values = dict[str, str | int | bool | None]
AnyRow = Row[tuple[object, ...]]


def without_nul(text: str) -> str:
    """Returns text as PostgreSQL can keep it."""
    return text.replace("\x00", "")


def owner_row(owner: Owner) -> Values:
    """Returns the columns that say whose a row is."""
    return {"tenant_id": owner.tenant_id, "user_id": owner.user_id}


def outcome_row(outcome: TurnOutcome) -> Values:
    """Returns the columns of an answer that ended."""
    return {
        "state": outcome.state.value,
        "text": without_nul(outcome.text),
        "provider": outcome.provider,
        "model": outcome.model,
        "finish_reason": outcome.finish_reason.value if outcome.finish_reason else "",
        "error_reason": outcome.error_reason,
        "input_tokens": outcome.usage.input_tokens,
        "output_tokens": outcome.usage.output_tokens,
        "reported_by_provider": outcome.usage.reported_by_provider,
        "latency_ms": outcome.latency_ms,
        "time_to_first_token_ms": outcome.time_to_first_token_ms,
    }


def usage_row(owner: Owner, outcome: TurnOutcome) -> dict[str, Any]:
    """Returns what is to be reported of the model that wrote an answer; nothing where none was called."""
    read, written = outcome.usage.input_tokens, outcome.usage.output_tokens
    if not outcome.usage_id or not read + written:
        return {"usage_id": None, "usage": None}
    entry = UsageEntry(
        usage_id=outcome.usage_id,
        tenant_id=owner.tenant_id,
        user_id=owner.user_id,
        kind="ANSWER",
        provider=outcome.provider,
        model=outcome.model,
        input_tokens=read,
        output_tokens=written,
        end_time=datetime.now(UTC),
        cached_tokens=outcome.usage.cached_tokens,
        api_key_id=owner.api_key_id,
    )
    return {"usage_id": entry.usage_id, "usage": write_entry(entry)}


def citation_row(citation: Citation) -> Values:
    """Returns the columns of a citation."""
    return {
        "marker": citation.marker,
        "document_id": citation.document_id,
        "version_id": citation.version_id,
        "filename": citation.filename,
        "page_number": citation.page_number,
        "start_offset": citation.start_offset,
        "end_offset": citation.end_offset,
        "quote": without_nul(citation.quote),
        "quote_check": citation.check.value,
        "answer_start": citation.answer_start,
        "answer_end": citation.answer_end,
    }


def to_citation(row: AnyRow) -> Citation:
    """Returns a row of citations as noun."""
    return Citation(
        marker=row.marker,
        quote=row.quote,
        check=Check(row.quote_check),
        answer_start=row.answer_start,
        answer_end=row.answer_end,
        document_id=row.document_id,
        version_id=row.version_id,
        filename=row.filename,
        page_number=row.page_number,
        start_offset=row.start_offset,
        end_offset=row.end_offset,
    )


def to_conversation(row: AnyRow) -> Conversation:
    """Returns a row of conversations as noun."""
    return Conversation(row.conversation_id, row.title, row.create_time, row.update_time)


def to_message(row: AnyRow, citations: tuple[Citation, ...]) -> Message:
    """Returns a row of messages as noun; questions have no usage."""
    role = MessageRole(row.role)
    usage = Usage(row.input_tokens, row.output_tokens, row.reported_by_provider)
    return Message(
        message_id=row.message_id,
        position=row.position,
        role=role,
        state=MessageState(row.state),
        text=row.text,
        citations=citations,
        usage=usage if role is MessageRole.ASSISTANT else None,
        provider=row.provider,
        model=row.model,
        latency_ms=row.latency_ms,
        time_to_first_token_ms=row.time_to_first_token_ms,
        create_time=row.create_time,
    )
