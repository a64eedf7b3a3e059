"""The one message a parsing child sends: JSON, so that a subverted child can send nothing but data."""

import dataclasses
import json

from ingestion.text import (
    FailureReason,
    Heading,
    Page,
    ParsedDocument,
    ParseFailure,
    ParseWarning,
    WarningReason,
)


def encode_document(document: ParsedDocument) -> bytes:
    """Returns the UTF-8 JSON of a parse that succeeded."""
    return json.dumps({"document": dataclasses.asdict(document)}, ensure_ascii=False).encode()


def encode_failure(failure: ParseFailure, detail: str) -> bytes:
    """Returns the JSON of a parse that failed; ``detail`` is for the log and holds no document text."""
    return json.dumps({"failure": {"reason": failure.reason, "message": failure.message, "detail": detail}}).encode()


def decode_result(raw: bytes) -> tuple[ParsedDocument | ParseFailure, str]:
    """Returns what the child reported and its detail for the log.

    Raises ValueError, KeyError or TypeError for anything the two functions above did not write.
    """
    result = json.loads(raw)
    if "failure" in result:
        failure = result["failure"]
        return ParseFailure(FailureReason(failure["reason"]), str(failure["message"])), str(failure["detail"])
    document = result["document"]
    return ParsedDocument(
        text=str(document["text"]),
        pages=tuple(Page(int(page["number"]), int(page["start_offset"])) for page in document["pages"]),
        headings=tuple(
            Heading(int(heading["level"]), str(heading["title"]), int(heading["start_offset"]))
            for heading in document["headings"]
        ),
        title=str(document["title"]),
        page_count=int(document["page_count"]),
        warnings=tuple(
            ParseWarning(WarningReason(warning["reason"]), int(warning["count"])) for warning in document["warnings"]
        ),
    ), ""
