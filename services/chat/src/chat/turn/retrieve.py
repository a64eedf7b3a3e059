"""retrieve: the query becomes passages, and their canonical texts are fetched in one call.

Where they answer nothing, it is asked whether more documents are on their way.
"""

import asyncio
from collections.abc import Mapping, Sequence

from chat.model import Passage, Question
from chat.ports import CanonicalText, DocumentProgress, PassageSearch
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

TOP_K = 8


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


async def fetch_texts(canonical: CanonicalText, passages: Sequence[Passage]) -> Mapping[int, str]:
    """Returns the passages' canonical texts by marker, without those that cannot be had."""
    if not passages:
        return {}
    try:
        return await canonical.read(passages)
    except AppError as error:
        get_logger("chat").warning("canonical texts not fetched", code=error.code, reason=error.reason)
        return {}


class SourceTexts:
    """The canonical texts of a turn's passages, while they are fetched and afterwards."""

    def __init__(self, fetching: asyncio.Future[Mapping[int, str]]) -> None:
        self._fetching = fetching

    @property
    def is_ready(self) -> bool:
        """Whether reading a text waits for nothing."""
        return self._fetching.done()

    async def read(self, passage: Passage) -> str | None:
        """Returns a passage's canonical text; None where it cannot be had, and so nothing can be checked."""
        text = (await self._fetching).get(passage.marker)
        if text is None:
            get_logger("chat").warning("canonical text missing", document_id=passage.document_id)
        return text
