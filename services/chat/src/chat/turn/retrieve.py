"""retrieve: the query becomes passages; the canonical text of one is fetched when an answer first cites it.

Where they answer nothing, it is asked whether more documents are on their way.
"""

from collections.abc import Sequence

from chat.model import Passage, Question
from chat.ports import CanonicalText, DocumentProgress, PassageSearch
from servicekit.errors import AppError, Code
from servicekit.telemetry import get_logger

TOP_K = 8
AWAY = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})


async def retrieve(search: PassageSearch, question: Question, query: str) -> tuple[Passage, ...]:
    """Returns the passages that match best. Raises RetrievalUnavailable."""
    return await search.search(
        query, top_k=TOP_K, document_ids=question.document_ids, collection_ids=question.collection_ids
    )


async def count_in_progress(progress: DocumentProgress, question: Question) -> int:
    """Returns how many of the documents that were asked are still being processed; 0 where that cannot be told."""
    try:
        return await progress.count_in_progress(
            document_ids=question.document_ids, collection_ids=question.collection_ids
        )
    except AppError as error:
        get_logger("chat").warning("documents in progress not counted", reason=error.reason)
        return 0


class SourceTexts:
    """The canonical texts of a turn's passages, each fetched once; most passages are never cited."""

    def __init__(self, canonical: CanonicalText, passages: Sequence[Passage]) -> None:
        self._canonical = canonical
        self._passages = {passage.marker: passage for passage in passages}
        self._texts: dict[int, str | None] = {}
        self._is_away = False

    async def read(self, marker: int) -> str | None:
        """Returns a passage's canonical text; None where it cannot be had, and so nothing can be checked."""
        if marker not in self._texts:
            self._texts[marker] = await self._fetch(self._passages[marker])
        return self._texts[marker]

    async def _fetch(self, passage: Passage) -> str | None:
        # An answer waits for a text that does not come once, not once for every passage.
        if self._is_away:
            return None
        try:
            return await self._canonical.read(passage)
        except AppError as error:
            self._is_away = error.code in AWAY
            get_logger("chat").warning(
                "canonical text missing", document_id=passage.document_id, code=error.code, reason=error.reason
            )
            return None
