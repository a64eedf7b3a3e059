"""Embeddings from OpenAI, or from any server that speaks its API."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, Omit, omit

from retrieval.embedders.hosted import HostedEmbedder
from retrieval.embedders.pieces import Limits
from retrieval.embedders.retry import (
    REQUEST_SECONDS,
    BoundedRetryPolicy,
    Failure,
    call_provider,
    open_http,
)
from retrieval.errors import EmbedderUnavailable
from retrieval.model import Vector

LENGTHS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


class OpenAIEmbedder(HostedEmbedder):
    """Vectors of an OpenAI model, all of one length."""

    # 8,192 tokens a text and 300,000 a request.
    limits = Limits(piece_bytes=8000, batch_bytes=280_000, batch_texts=256)

    def __init__(self, client: AsyncOpenAI, model: str, dimensions: int, policy: BoundedRetryPolicy) -> None:
        super().__init__(model, dimensions, policy)
        self._client = client

    @classmethod
    async def open(
        cls, *, api_key: str, base_url: str, model: str, dimensions: int = 0, policy: BoundedRetryPolicy | None = None
    ) -> Self:
        """Connects. base_url "" is OpenAI's own.

        dimensions 0 is the model's own length; of a model not known here it is
        found by embedding a word. Raises EmbedderUnavailable, EmbedderRefused.
        """
        client = AsyncOpenAI(
            # A local server may want no key; the SDK wants a string.
            api_key=api_key or "none",
            base_url=base_url or None,
            max_retries=0,
            timeout=REQUEST_SECONDS,
            http_client=open_http(),
        )
        embedder = cls(client, model, dimensions or LENGTHS.get(model, 0), policy or BoundedRetryPolicy())
        if not embedder.dimensions:
            embedder._dimensions = len(await embedder.embed_query("length"))
        return embedder

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _request(
        self,
        batch: Sequence[str],
        *,
        policy: BoundedRetryPolicy,
        is_query: bool,  # noqa: ARG002 - one kind of vector for both
    ) -> list[Vector]:
        answer = await call_provider(
            lambda: self._client.embeddings.create(input=list(batch), model=self._model, dimensions=self._shorten()),
            policy,
            (APIError,),
            read_failure,
        )
        rows = sorted(answer.data, key=lambda row: row.index)
        vectors = [np.array(row.embedding, dtype=np.float32) for row in rows]
        if len(vectors) != len(batch) or any(len(vector) != (self._dimensions or len(vector)) for vector in vectors):
            raise EmbedderUnavailable
        return vectors

    def _shorten(self) -> int | Omit:
        # Servers other than OpenAI's may not know the parameter, so it is sent only where it changes something.
        return omit if self._dimensions in (0, LENGTHS.get(self._model)) else self._dimensions


def read_failure(error: Exception) -> Failure:
    """Returns how an attempt failed."""
    if isinstance(error, APIStatusError):
        return Failure(error.status_code, error.response.headers)
    # What came back did not fit, unless nothing came back at all.
    return Failure(0 if isinstance(error, APIConnectionError) else 200, {})
