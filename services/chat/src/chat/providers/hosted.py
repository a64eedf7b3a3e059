"""What all providers over HTTP have in common: one bounded request, one stream, one way to fail."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from chat.errors import ContentFiltered, ProviderMisconfigured, ProviderUnavailable
from chat.model import FinishReason, Prompt, ProviderFinish, ProviderText, Usage
from chat.ports import AnswerSink
from chat.providers.options import ProviderOptions
from servicekit.hosted import open_client

MODEL_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
MAX_TOKENS = 2**31 - 1  # that can be told and stored

Chunk = TypeVar("Chunk")
Chunk_co = TypeVar("Chunk_co", covariant=True)


@dataclass(frozen=True)
class Piece:
    """What a chunk of a provider's stream says; token counts are cumulative, None where it holds none.

    Raises TypeError for a text that is none.
    """

    text: str = ""
    finish: str = ""  # in the provider's own word
    input_tokens: int | None = None
    output_tokens: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):  # as malformed chunks have it
            raise TypeError

    def after(self, earlier: "Piece") -> "Piece":
        """Returns what is known once this chunk has followed the earlier ones; the text is this chunk's own."""
        return Piece(
            self.text,
            self.finish or earlier.finish,
            earlier.input_tokens if self.input_tokens is None else self.input_tokens,
            earlier.output_tokens if self.output_tokens is None else self.output_tokens,
        )

    @property
    def usage(self) -> Usage | None:
        """The tokens the provider reported, None unless it reported both."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        read, written = (min(max(0, count), MAX_TOKENS) for count in (self.input_tokens, self.output_tokens))
        return Usage(read, written, reported_by_provider=True)


class Chunks(Protocol[Chunk_co]):
    """A stream as the SDKs give it."""

    def __anext__(self) -> Awaitable[Chunk_co]:
        """Returns the next chunk. Raises StopAsyncIteration and whatever the SDK raises."""
        ...


class HostedProvider(ABC, Generic[Chunk]):
    """One request, one stream; trying again is RetryingProvider's business."""

    name: ClassVar[str]
    finishes: ClassVar[Mapping[str, FinishReason]]  # by the provider's word; other words mean STOP
    filters: ClassVar[frozenset[str]]  # the words for an answer that a filter stopped

    def __init__(self, options: ProviderOptions) -> None:
        if not MODEL_NAME.fullmatch(options.model):
            raise ProviderMisconfigured
        self._options = options
        self._http = open_client(limit_bytes=MAX_RESPONSE_BYTES, silence_seconds=options.silence_seconds)

    @property
    def model(self) -> str:
        """The model asked for."""
        return self._options.model

    @property
    def max_output_tokens(self) -> int:
        """The most tokens asked for."""
        return self._options.max_output_tokens

    async def write(self, prompt: Prompt, sink: AnswerSink) -> ProviderFinish:
        """Puts text as it comes, and returns the end with the tokens the provider reports."""
        with self._translated_errors():
            async with self._open(prompt) as chunks:
                known = await self._copy(chunks, sink)
            return ProviderFinish(self._read_finish(known.finish), known.usage)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _copy(self, chunks: Chunks[Chunk], sink: AnswerSink) -> Piece:
        """Returns what all chunks together say of the end."""
        known, clock = Piece(), asyncio.get_running_loop().time
        try:
            # Comment lines and pings keep a connection from being silent, and are no answer.
            async with asyncio.timeout(None) as silence:
                while True:
                    silence.reschedule(clock() + self._options.silence_seconds)
                    piece = self._read(await anext(chunks))
                    silence.reschedule(None)
                    known = piece.after(known)
                    if piece.text:
                        await sink.put(ProviderText(piece.text))
        except StopAsyncIteration:
            return known
        except TimeoutError as error:
            raise ProviderUnavailable from error

    def _read_finish(self, reason: str) -> FinishReason:
        if reason in self.filters:
            raise ContentFiltered
        if not reason:  # the stream broke off
            raise ProviderUnavailable
        return self.finishes.get(reason, FinishReason.STOP)

    @abstractmethod
    def _open(self, prompt: Prompt) -> AbstractAsyncContextManager[Chunks[Chunk]]:
        """Entering it sends the request and gives its stream; leaving it closes the connection."""

    @abstractmethod
    def _read(self, chunk: Chunk) -> Piece:
        """Returns what a chunk says; may raise anything for a malformed one."""

    @abstractmethod
    def _translated_errors(self) -> AbstractContextManager[None]:
        """Returns translate_errors for this SDK."""
