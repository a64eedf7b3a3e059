"""Embeddings from Google's Gemini API."""

from collections.abc import Sequence
from typing import Self

import httpx2
import numpy as np
from google import genai
from google.genai import errors, types

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


class GeminiEmbedder(HostedEmbedder):
    """Vectors of a Gemini model, shortened to one length; queries and passages are embedded for their part."""

    # 2,048 tokens a text, the rest dropped without a word, and 100 texts a request.
    limits = Limits(piece_bytes=2000, batch_bytes=200_000, batch_texts=100)

    def __init__(
        self,
        client: genai.Client,
        http: httpx2.AsyncClient,
        model: str,
        dimensions: int,
        policy: BoundedRetryPolicy,
    ) -> None:
        super().__init__(model, dimensions, policy)
        self._client = client
        self._http = http

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

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()
        await self._client.aio.aclose()
        self._client.close()

    async def _request(self, batch: Sequence[str], *, policy: BoundedRetryPolicy, is_query: bool) -> list[Vector]:
        # One content per text: newer models make a single vector of a list of strings.
        contents: list[types.ContentUnion] = [types.Content(parts=[types.Part(text=text)]) for text in batch]
        task = "RETRIEVAL_QUERY" if is_query else "RETRIEVAL_DOCUMENT"
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
