"""What a point carries beside its vectors: every field of its version and its chunk, flat."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from retrieval.model import Chunk, DocumentVersion, Match

VERSION_KEYS = tuple(field.name for field in fields(DocumentVersion))
CHUNK_KEYS = tuple(field.name for field in fields(Chunk))
LIST_KEYS = ("heading_path", "page_break_offsets")
# A search finds a hundred points and returns eight, so only what their order and visibility hang on comes with all.
MATCH_KEYS = ("version_id", "language", "chunk_index")


def to_payload(version: DocumentVersion, chunk: Chunk) -> dict[str, Any]:
    """Returns a JSON object; its keyword fields are what filters look at."""
    return asdict(version) | asdict(chunk)


def to_match(point_id: str, payload: Mapping[str, Any], score: float) -> Match:
    """Returns the match that the MATCH_KEYS of a payload describe."""
    told: dict[str, Any] = {key: payload[key] for key in MATCH_KEYS}
    return Match(point_id, score=score, **told)


def to_passage(payload: Mapping[str, Any]) -> tuple[DocumentVersion, Chunk]:
    """Returns what a whole payload describes; points of earlier releases know no tokens."""
    lists: dict[str, Any] = {key: tuple(payload[key]) for key in LIST_KEYS}
    chunk: dict[str, Any] = {key: payload[key] for key in CHUNK_KEYS if key in payload and key not in lists}
    return DocumentVersion(**{key: payload[key] for key in VERSION_KEYS}), Chunk(**chunk, **lists)
