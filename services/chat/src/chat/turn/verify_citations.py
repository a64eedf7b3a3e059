"""verify_citations: each marker of the answer is resolved to a passage and checked against its canonical text."""

import re
from collections.abc import Sequence

from chat.model import Check, Citation, Passage
from chat.turn.find_quote import Finding, find_quote
from chat.turn.retrieve import SourceTexts
from chat.turn.support import find_support
from language.sentences import split_sentences
from language.spans import Span

LOOK_BACK = 1_500  # characters of the answer that the claim before a marker is looked for in
SHOWN_MARKERS = re.compile(r"(?:\s*\[\d{1,3}\])+")
QUOTED = re.compile(r"[\"“«„]([^\"“”«»„]{8,})[\"”»“]")


class CitationVerifier:
    """Checks the citations of one answer.

    answer_start and answer_end span the claim: from the first character of the sentence that the marker ends or
    follows to the end of the marker itself.
    """

    def __init__(self, passages: Sequence[Passage], texts: SourceTexts) -> None:
        self._passages = {passage.marker: passage for passage in passages}
        self._texts = texts

    @property
    def is_ready(self) -> bool:
        """Whether a check waits for no text."""
        return self._texts.is_ready

    async def verify(self, marker: int, quote: str | None, answer: str) -> Citation:
        """Returns the checked citation of a marker; `answer` is what is visible up to and with the marker."""
        start = find_claim(answer)
        claim = SHOWN_MARKERS.sub("", answer[start:]).strip()
        passage = self._passages.get(marker)
        canonical = await self._texts.read(passage) if passage else None
        finding = check_claim(claim, quote, canonical, passage.language) if passage and canonical is not None else None
        if passage is None or canonical is None or finding is None:
            return reject(marker, claim if quote is None else quote, Span(start, len(answer)), passage)
        span, origin = finding.span, passage.start_offset
        return Citation(
            marker=marker,
            quote=canonical[span.start : span.end],
            check=finding.check,
            answer_start=start,
            answer_end=len(answer),
            document_id=passage.document_id,
            version_id=passage.version_id,
            filename=passage.filename,
            page_number=passage.page_of(origin + span.start),
            start_offset=origin + span.start,
            end_offset=origin + span.end,
        )


def check_claim(claim: str, quote: str | None, canonical: str, language: str) -> Finding | None:
    """Returns what in the text a citation rests on: the quote given, or else what stands for the claim."""
    if quote is not None:
        return find_quote(quote, canonical)
    for words in (claim, *QUOTED.findall(claim)):
        if finding := find_quote(words, canonical):
            return finding
    support = find_support(claim, canonical, language)
    return Finding(support, Check.EXACT) if support else None


def find_claim(answer: str) -> int:
    """Returns where the claim of the marker at the end of the answer begins.

    It begins after the marker group before, if its sentence goes on from there ("A is so [1] and B is not [2]").
    """
    base = max(0, len(answer) - LOOK_BACK)
    window = answer[base:]
    groups = list(SHOWN_MARKERS.finditer(window))
    text = window[: groups[-1].start()] if groups else window
    earlier = groups[-2].end() if len(groups) > 1 else 0
    sentences = split_sentences(text)
    start = max(sentences[-1].start if sentences else len(text), earlier)
    start += len(text[start:]) - len(text[start:].lstrip(" \n\t,;.:،؛"))
    return base + min(start, len(text))


def reject(marker: int, claimed: str, place: Span, passage: Passage | None) -> Citation:
    """Returns an UNSUPPORTED citation: no range, and what was claimed for a quote."""
    return Citation(
        marker=marker,
        quote=claimed,
        check=Check.UNSUPPORTED,
        answer_start=place.start,
        answer_end=place.end,
        document_id=passage.document_id if passage else "",
        version_id=passage.version_id if passage else "",
        filename=passage.filename if passage else "",
    )
