"""What a point carries beside its vectors: every field of its version and its chunk, flat."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from retrieval.model import Chunk, DocumentVersion, Match

VERSION_KEYS = tuple(field.name for field in fields(DocumentVersion))
CHUNK_KEYS = tuple(field.name for field in fields(Chunk))
LIST_KEYS = ("heading_path", "page_break_offsets")


def to_payload(version: DocumentVersion, chunk: Chunk) -> dict[str, Any]:
    """Returns a JSON object; its keyword fields are what filters look at."""
    return asdict(version) | asdict(chunk)


def to_match(payload: Mapping[str, Any], score: float) -> Match:
    """Returns the match that a payload describes."""
    lists: dict[str, Any] = {key: tuple(payload[key]) for key in LIST_KEYS}
    chunk: dict[str, Any] = {key: payload[key] for key in CHUNK_KEYS if key not in lists}
    return Match(DocumentVersion(**{key: payload[key] for key in VERSION_KEYS}), Chunk(**chunk, **lists), score)
