"""Embeddings from Google's Gemini API."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import httpx2
import numpy as np
from google import genai
from google.genai import errors, types

from retrieval.embedders.pieces import Limits, embed_in_pieces
from retrieval.embedders.retry import (
    QUERY_SECONDS,
    REQUEST_SECONDS,
    BoundedRetryPolicy,
    Failure,
    call_provider,
    open_http,
)
from retrieval.errors import EmbedderUnavailable
from retrieval.model import Vector

# Gemini takes 2,048 tokens a text, drops the rest without a word, and takes 100 texts a request.
LIMITS = Limits(piece_bytes=2000, batch_bytes=200_000, batch_texts=100)


class GeminiEmbedder:
    """Vectors of a Gemini model, shortened to one length; queries and passages are embedded for their part."""

    def __init__(
        self,
        client: genai.Client,
        http: httpx2.AsyncClient,
        model: str,
        dimensions: int,
        policy: BoundedRetryPolicy,
    ) -> None:
        self._client = client
        self._http = http
        self._model = model
        self._dimensions = dimensions
        self._policy = policy

    @classmethod
    def open(
        cls,
        *,
        api_key: str,
        model: str,
        base_url: str = "",
        dimensions: int = 1536,
        policy: BoundedRetryPolicy | None = None,
    ) -> Self:
        """Connects when first used. base_url "" is Google's own."""
        http = open_http()
        options = types.HttpOptions(
            base_url=base_url or None,
            timeout=int(REQUEST_SECONDS * 1000),
            retry_options=types.HttpRetryOptions(attempts=1),
            httpx_async_client=http,
        )
        # Without it an environment made for Vertex AI (GOOGLE_GENAI_USE_VERTEXAI) would send the texts there.
        client = genai.Client(vertexai=False, api_key=api_key, http_options=options)
        return cls(client, http, model, dimensions, policy or BoundedRetryPolicy())

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
        (vector,) = await embed_in_pieces([text], LIMITS, lambda batch: self._request(batch, "RETRIEVAL_QUERY", policy))
        return vector

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Returns one unit vector per text, in order. Raises EmbedderUnavailable, EmbedderRefused."""
        return await embed_in_pieces(
            texts, LIMITS, lambda batch: self._request(batch, "RETRIEVAL_DOCUMENT", self._policy)
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()
        await self._client.aio.aclose()
        self._client.close()

    async def _request(self, batch: Sequence[str], task: str, policy: BoundedRetryPolicy) -> list[Vector]:
        # One content per text: newer models make a single vector of a list of strings.
        contents: list[types.ContentUnion] = [types.Content(parts=[types.Part(text=text)]) for text in batch]
        config = types.EmbedContentConfig(task_type=task, output_dimensionality=self._dimensions)
        answer = await call_provider(
            lambda: self._client.aio.models.embed_content(model=self._model, contents=contents, config=config),
            policy,
            (errors.APIError, httpx2.HTTPError),
            read_failure,
        )
        vectors = [np.array(row.values or (), dtype=np.float32) for row in answer.embeddings or ()]
        if len(vectors) != len(batch) or any(len(vector) != self._dimensions for vector in vectors):
            raise EmbedderUnavailable
        return vectors


def read_failure(error: Exception) -> Failure:
    """Returns how an attempt failed."""
    if isinstance(error, errors.APIError):
        return Failure(error.code, getattr(error.response, "headers", {}))
    return Failure(0, {})
