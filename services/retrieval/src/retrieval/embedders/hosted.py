"""What embedders behind an API have in common: texts in pieces, batches, one bound of time for a query."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from retrieval.embedders.pieces import Limits, embed_in_pieces
from retrieval.embedders.retry import QUERY_SECONDS, BoundedRetryPolicy
from retrieval.model import Vector


class HostedEmbedder(ABC):
    """Unit vectors of one model, all of one length."""

    limits: ClassVar[Limits]
    """What the API takes in a request."""

    def __init__(self, model: str, dimensions: int, policy: BoundedRetryPolicy) -> None:
        self._model = model
        self._dimensions = dimensions
        self._policy = policy

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        return self._dimensions

    async def embed_query(self, text: str) -> Vector:
        """Returns the unit vector of a query. Raises EmbedderUnavailable, EmbedderRefused."""
        policy = replace(self._policy, total_seconds=min(self._policy.total_seconds, QUERY_SECONDS))
        (vector,) = await embed_in_pieces([text], self.limits, partial(self._request, policy=policy, is_query=True))
        return vector

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Returns one unit vector per text, in order. Raises EmbedderUnavailable, EmbedderRefused."""
        return await embed_in_pieces(texts, self.limits, partial(self._request, policy=self._policy, is_query=False))

    @abstractmethod
    async def close(self) -> None:
        """Closes the connections."""

    @abstractmethod
    async def _request(self, batch: Sequence[str], *, policy: BoundedRetryPolicy, is_query: bool) -> list[Vector]:
        """Returns one vector per text of a batch, in order. Raises EmbedderUnavailable, EmbedderRefused."""
