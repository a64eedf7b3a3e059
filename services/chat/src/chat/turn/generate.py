"""generate: the provider writes while the turn sends, bounded in characters, in time and in how far it gets ahead."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chat.errors import ProviderUnavailable
from chat.model import FinishReason, Prompt, ProviderFinish, ProviderPart, ProviderQuote, ProviderText
from chat.ports import AnswerProvider
from chat.turn.beside import beside

MOST_AHEAD = 2_000  # characters


@dataclass(frozen=True)
class AnswerBounds:
    """What a provider may take at most for an answer; the time that its reader takes does not count."""

    characters: int = 40_000
    seconds: float = 120


class Backlog:
    """What a provider has written and the turn has not taken yet; texts with nothing in between become one."""

    def __init__(self, bounds: AnswerBounds) -> None:
        self.first_time: float | None = None
        self._on_first: Callable[[], object] | None = None
        self._left = bounds.characters
        self._bound = asyncio.timeout(bounds.seconds)
        self._clock = asyncio.get_running_loop().time
        self._parts: list[ProviderPart | ProviderFinish] = []
        self._ahead = 0  # characters
        self._failure: Exception | None = None
        self._is_awaited = False
        self._has_more = asyncio.Event()
        self._has_room = asyncio.Event()

    def on_first(self, call: Callable[[], object]) -> None:
        """Has a function called with the first part."""
        self._on_first = call

    async def put(self, part: ProviderText | ProviderQuote) -> None:
        """Adds a part; waits while MOST_AHEAD characters lie here, and for good where the answer is too long."""
        if self.first_time is None:
            self._begin()
        if isinstance(part, ProviderQuote):
            self._add(part)
        else:
            self._add_text(part.text)
        if self._is_awaited:
            await asyncio.sleep(0)  # whoever waits gets this before more is read
        if self._left < 0:
            self._add(ProviderFinish(FinishReason.LENGTH))
            await asyncio.Event().wait()  # until the turn, which has its end, leaves
        elif self._ahead >= MOST_AHEAD:
            await self._wait_for_room()

    async def take(self) -> list[ProviderPart | ProviderFinish]:
        """Returns what there is, once there is something; ProviderFinish is the last. Raises the provider's errors."""
        while not self._parts:
            if self._failure:
                raise self._failure
            self._is_awaited = True
            self._has_more.clear()
            await self._has_more.wait()
            self._is_awaited = False
        parts, self._parts, self._ahead = self._parts, [], 0
        self._has_room.set()
        return parts

    async def fill(self, provider: AnswerProvider, prompt: Prompt) -> None:
        """Has a provider write. Raises nothing: what it raises comes behind what it has written."""
        try:
            async with self._bound:
                self._add(await provider.write(prompt, self))
        except TimeoutError:
            self._failure = ProviderUnavailable()
        except Exception as error:  # noqa: BLE001 - take() raises it
            self._failure = error
        self._has_more.set()

    def _begin(self) -> None:
        self.first_time = self._clock()
        if self._on_first:
            self._on_first()

    def _add_text(self, text: str) -> None:
        kept = text[: max(self._left, 0)]
        self._left -= len(text)
        self._ahead += len(kept)
        before = self._parts[-1] if self._parts else None
        if isinstance(before, ProviderText):
            self._parts[-1] = ProviderText(before.text + kept)
        else:
            self._add(ProviderText(kept))

    def _add(self, part: ProviderPart | ProviderFinish) -> None:
        self._parts.append(part)
        self._has_more.set()

    async def _wait_for_room(self) -> None:
        """Stops the provider's clock while its reader takes its time."""
        left = (self._bound.when() or 0) - self._clock()
        self._bound.reschedule(None)
        self._has_room.clear()
        await self._has_room.wait()
        self._bound.reschedule(self._clock() + left)


@asynccontextmanager
async def generate(provider: AnswerProvider, prompt: Prompt, bounds: AnswerBounds) -> AsyncIterator[Backlog]:
    """Has the provider write beside the block; leaving the block ends its work."""
    backlog = Backlog(bounds)
    async with beside(backlog.fill(provider, prompt)):
        yield backlog
