"""retrieve: the query becomes passages, and their canonical text is fetched while the provider starts."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from chat.model import Passage, Question
from chat.ports import CanonicalText, PassageSearch
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

TOP_K = 8


async def retrieve(search: PassageSearch, question: Question, query: str) -> tuple[Passage, ...]:
    """Returns the passages that match best. Raises RetrievalUnavailable."""
    return await search.search(
        query, top_k=TOP_K, document_ids=question.document_ids, collection_ids=question.collection_ids
    )


class SourceTexts:
    """The canonical texts of a turn's passages, fetched at the same time; leave the block to stop fetching."""

    def __init__(self, canonical: CanonicalText, passages: Sequence[Passage]) -> None:
        self._canonical = canonical
        self._passages = passages
        self._fetches: dict[int, asyncio.Task[str | None]] = {}

    async def __aenter__(self) -> Self:
        """Starts fetching."""
        for passage in self._passages:
            self._fetches[passage.marker] = asyncio.create_task(self._fetch(passage))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops what is still being fetched."""
        for fetch in self._fetches.values():
            fetch.cancel()
        await asyncio.gather(*self._fetches.values(), return_exceptions=True)

    async def read(self, marker: int) -> str | None:
        """Returns a passage's canonical text; None where it cannot be had, and so nothing can be checked."""
        return await asyncio.shield(self._fetches[marker])

    async def _fetch(self, passage: Passage) -> str | None:
        try:
            return await self._canonical.read(passage)
        except AppError as error:
            get_logger("chat").warning(
                "canonical text missing", document_id=passage.document_id, code=error.code, reason=error.reason
            )
            return None
