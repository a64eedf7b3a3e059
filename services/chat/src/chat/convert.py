"""Chat's protos to nouns and back."""

from typing import assert_never

from chat.model import (
    Citation,
    Completed,
    Conversation,
    Event,
    Failed,
    Message,
    Owner,
    Passage,
    Question,
    Sources,
    Started,
    TextDelta,
    Usage,
)
from docuchat.chat.v1 import ask_event_pb2, chat_service_pb2, citation_pb2, conversation_pb2, usage_pb2
from servicekit.identity import Principal


def to_owner(principal: Principal) -> Owner:
    """Returns whose conversations a caller may see: only the caller's own."""
    return Owner(principal.tenant_id, principal.subject, principal.api_key_id)


def to_question(request: chat_service_pb2.AskRequest, owner: Owner) -> Question:
    """Returns the request as noun."""
    return Question(
        owner=owner,
        text=request.question,
        conversation_id=request.conversation_id,
        document_ids=tuple(request.document_ids),
        collection_ids=tuple(request.collection_ids),
    )


def to_event_proto(sequence: int, event: Event) -> ask_event_pb2.AskEvent:
    """Returns an event of the turn with its number in the stream."""
    numbered = ask_event_pb2.AskEvent(sequence=sequence)
    match event:
        case Started():
            numbered.started.conversation_id = event.conversation_id
            numbered.started.message_id = event.message_id
        case Sources():
            numbered.sources.CopyFrom(ask_event_pb2.AskSources(passages=map(to_passage_proto, event.passages)))
        case TextDelta():
            numbered.text_delta.text = event.text
        case Citation():
            numbered.citation.CopyFrom(to_citation_proto(event))
        case Usage():
            numbered.usage.CopyFrom(to_usage_proto(event))
        case Completed():
            numbered.completed.CopyFrom(to_completed_proto(event))
        case Failed():
            error = ask_event_pb2.AskError(code=event.code, reason=event.reason, message=event.message)
            numbered.error.CopyFrom(error)
        case _:
            assert_never(event)
    return numbered


def to_passage_proto(passage: Passage) -> citation_pb2.Passage:
    """Returns a passage as the client sees it."""
    return citation_pb2.Passage(
        marker=passage.marker,
        document_id=passage.document_id,
        version_id=passage.version_id,
        filename=passage.filename,
        title=passage.title,
        page_start=passage.page_start,
        page_end=passage.page_end,
        start_offset=passage.start_offset,
        end_offset=passage.end_offset,
        text=passage.text,
        heading_path=passage.heading_path,
        score=passage.score,
    )


def to_citation_proto(citation: Citation) -> citation_pb2.Citation:
    """Returns a checked citation."""
    return citation_pb2.Citation(
        marker=citation.marker,
        document_id=citation.document_id,
        version_id=citation.version_id,
        filename=citation.filename,
        page_number=citation.page_number,
        start_offset=citation.start_offset,
        end_offset=citation.end_offset,
        quote=citation.quote,
        check=citation.check.value,
        answer_start=citation.answer_start,
        answer_end=citation.answer_end,
    )


def to_usage_proto(usage: Usage) -> usage_pb2.Usage:
    """Returns the tokens of an answer."""
    return usage_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        reported_by_provider=usage.reported_by_provider,
    )


def to_completed_proto(completed: Completed) -> ask_event_pb2.AskCompleted:
    """Returns the end of a whole answer."""
    return ask_event_pb2.AskCompleted(
        conversation_id=completed.conversation_id,
        message_id=completed.message_id,
        finish_reason=completed.finish_reason.value,
        provider=completed.provider,
        model=completed.model,
        latency_ms=completed.latency_ms,
        time_to_first_token_ms=completed.time_to_first_token_ms,
        documents_in_progress=completed.documents_in_progress,
    )


def to_conversation_proto(conversation: Conversation) -> conversation_pb2.Conversation:
    """Returns a conversation."""
    return conversation_pb2.Conversation(
        conversation_id=conversation.conversation_id,
        title=conversation.title,
        create_time=conversation.create_time,
        update_time=conversation.update_time,
    )


def to_message_proto(message: Message) -> conversation_pb2.Message:
    """Returns a message."""
    return conversation_pb2.Message(
        message_id=message.message_id,
        role=message.role.value,
        state=message.state.value,
        text=message.text,
        citations=[to_citation_proto(citation) for citation in message.citations],
        usage=to_usage_proto(message.usage) if message.usage else None,
        provider=message.provider,
        model=message.model,
        latency_ms=message.latency_ms,
        time_to_first_token_ms=message.time_to_first_token_ms,
        create_time=message.create_time,
    )
