"""Protos to the model and back."""

from urllib.parse import quote

from docuchat.ingestion.v1 import collection_pb2, document_pb2, document_service_pb2
from ingestion.model import (
    Caller,
    Collection,
    Document,
    DocumentId,
    DocumentState,
    TenantId,
    TextRange,
    UserId,
    VersionId,
    Visibility,
)
from ingestion.text import Chunk
from servicekit.identity import Principal


def to_caller(principal: Principal) -> Caller:
    """Returns who calls, as the flows know people."""
    return Caller(
        tenant_id=TenantId(principal.tenant_id),
        user_id=UserId(principal.subject),
        is_admin=principal.is_admin,
        api_key_id=principal.api_key_id,
    )


def to_collection_proto(collection: Collection) -> collection_pb2.Collection:
    """Maps a collection."""
    return collection_pb2.Collection(
        collection_id=collection.collection_id,
        display_name=collection.display_name,
        visibility=collection.visibility.value,
        owner_user_id=collection.owner_user_id,
        is_default=collection.is_default,
        create_time=collection.create_time,
    )


def to_visibility(value: collection_pb2.Collection.Visibility) -> Visibility:
    """Returns what was asked for; PRIVATE where nothing was."""
    return Visibility.TENANT if value == collection_pb2.Collection.TENANT else Visibility.PRIVATE


def to_document_proto(document: Document) -> document_pb2.Document:
    """Maps a document."""
    return document_pb2.Document(
        document_id=document.document_id,
        collection_id=document.collection_id,
        filename=document.filename,
        state=document.state.value,
        state_reason=document.state_reason,
        state_message=document.state_message,
        size_bytes=document.size_bytes,
        sha256=document.sha256,
        content_type=document.content_type,
        page_count=document.page_count,
        chunk_count=document.chunk_count,
        indexed_chunk_count=document.indexed_chunk_count,
        token_count=document.token_count,
        character_count=document.character_count,
        language=document.language,
        title=document.title,
        version_id=document.version_id,
        create_time=document.create_time,
        update_time=document.update_time,
        process_time=document.process_time,
    )


def to_state(value: document_pb2.Document.State) -> DocumentState | None:
    """Returns the state to list, None for any."""
    return DocumentState(document_pb2.Document.State.Name(value)) if value else None


def to_chunk_proto(chunk: Chunk) -> document_pb2.Chunk:
    """Maps a chunk."""
    return document_pb2.Chunk(
        chunk_index=chunk.chunk_index,
        text=chunk.text,
        start_offset=chunk.start_offset,
        end_offset=chunk.end_offset,
        page_start=chunk.page_start,
        page_end=chunk.page_end,
        token_count=chunk.token_count,
        heading_path=chunk.heading_path,
    )


def to_text_range(wanted: document_service_pb2.TextRange) -> TextRange:
    """Returns the range as noun."""
    return TextRange(
        DocumentId(wanted.document_id), VersionId(wanted.version_id), wanted.start_offset, wanted.end_offset
    )


def to_range_text_proto(text: str | None) -> document_service_pb2.RangeText:
    """Maps what a range holds; None is missing."""
    return document_service_pb2.RangeText(text=text or "", is_missing=text is None)


def content_headers(filename: str) -> tuple[tuple[str, str], ...]:
    """Returns the headers under which a browser saves a file and never shows or runs it (RFC 6266, RFC 8187)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    return (
        ("content-disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "private, no-store"),
    )
