"""erase: an answer loses what it holds of a document that was deleted."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from chat.model import Check, Citation
from language.spans import Span

ERASED = "‹deleted›"
MARKERS_BEFORE = re.compile(r"(?:\s*\[\d{1,3}\])+\Z")
MARKER = re.compile(r"\[\d{1,3}\]")
EDGE = " \n\t,;.:،؛"


def erase_documents(
    text: str, citations: Sequence[Citation], document_ids: Collection[str]
) -> tuple[str, tuple[Citation, ...]]:
    """Returns an answer without what rests on the documents, and its citations, theirs as SOURCE_DELETED.

    What rests on a citation is all text between the marker before its group and the group: its claim, and sentences
    before it without a marker of their own. Other citations' ranges still name their claims afterwards.
    """
    left = list(citations)
    for number, citation in enumerate(citations):
        if citation.document_id in document_ids and citation.check is not Check.SOURCE_DELETED:
            left[number] = bury(left[number])
            span = find_resting(text, left[number].answer_end)
            if span.start < span.end:
                text = f"{text[: span.start]}{ERASED}{text[span.end :]}"
                left = [move(each, span) for each in left]
    return text, tuple(left)


def bury(citation: Citation) -> Citation:
    """Returns the tombstone of a citation: its marker, its place in the answer, and the id of what is gone."""
    return Citation(
        marker=citation.marker,
        quote="",
        check=Check.SOURCE_DELETED,
        answer_start=citation.answer_start,
        answer_end=citation.answer_end,
        document_id=citation.document_id,
    )


def find_resting(text: str, end: int) -> Span:
    """Returns the text that rests on the marker at [..., end), without the marks at its edges."""
    group = MARKERS_BEFORE.search(text, 0, end)
    stop = group.start() if group else end
    start = max((found.end() for found in MARKER.finditer(text, 0, stop)), default=0)
    start += len(text[start:stop]) - len(text[start:stop].lstrip(EDGE))
    return Span(start, max(start, stop))


def move(citation: Citation, erased: Span) -> Citation:
    """Returns a citation with its range in a text in which a span has become ERASED."""
    start, end = citation.answer_start, citation.answer_end
    end_of_mark = erased.start + len(ERASED)
    longer = end_of_mark - erased.end
    return replace(
        citation,
        answer_start=start + longer if start >= erased.end else min(start, erased.start),
        answer_end=end + longer if end >= erased.end else min(end, end_of_mark),
    )
