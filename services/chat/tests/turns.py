"""A turn whose surroundings are fakes, and readers of its events."""

import asyncio
from contextlib import suppress

from chat.errors import RetrievalUnavailable
from chat.model import FinishReason, ProviderFinish, TextDelta
from servicekit.errors import AppError, Code

STOP = ProviderFinish(FinishReason.STOP)
TEXT = "A trace tree is a set of traces. Other words stand here."


class FakeSearch:
    def __init__(self, *passages):
        self.passages, self.queries, self.is_asked = passages, [], asyncio.Event()

    async def search(self, query, *, top_k, document_ids, collection_ids):
        self.is_asked.set()
        self.queries.append((query, top_k, document_ids, collection_ids))
        if not self.passages:
            raise RetrievalUnavailable
        return self.passages


class FakeText:
    async def read(self, passages):
        return {passage.marker: passage.text for passage in passages}


class FakeProgress:
    count = 0

    async def count_in_progress(self, *, document_ids, collection_ids):
        return self.count


class FakeMeter:
    """A plan of `left` tokens; remembers what is set aside by usage_id."""

    def __init__(self, left=10**9):
        self.left, self.reserved = left, {}

    async def reserve(self, tenant_id, usage_id, tokens, hold_seconds):
        others = sum(held for key, held in self.reserved.items() if key != usage_id)
        if others + tokens > self.left:
            raise AppError(Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "The plan allows no more.")
        self.reserved[usage_id] = tokens

    async def reduce(self, tenant_id, usage_id, tokens, hold_seconds):
        assert tokens <= self.reserved[usage_id]
        self.reserved[usage_id] = tokens


class FakeProvider:
    name, model = "fake", "fake-1"
    max_output_tokens = 1_000

    def __init__(self, *script, pause=0.0):
        self.script, self.pause = script, pause
        self.closed, self.prompts, self.pulled = False, [], 0
        self.is_done = asyncio.Event()

    async def write(self, prompt, sink):
        self.prompts.append(prompt)
        try:
            for part in self.script:
                await asyncio.sleep(self.pause)
                if isinstance(part, BaseException):
                    raise part
                if isinstance(part, ProviderFinish):
                    return part
                self.pulled += 1
                await sink.put(part)
        finally:
            self.closed = True
            self.is_done.set()


async def collect(turn, question):
    events = []

    async def send(event):
        events.append(event)

    await turn.answer(question, send)
    return events


def visible(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


class Reader:
    """Takes events; leaves, or is told to stop, after some texts."""

    def __init__(self, texts):
        self.texts, self.events, self.has_enough = texts, [], asyncio.Event()

    async def send(self, event):
        self.events.append(event)
        if sum(isinstance(each, TextDelta) for each in self.events) == self.texts:
            self.has_enough.set()
            await asyncio.sleep(60)


async def stop_after(turn, question, texts):
    reader = Reader(texts)
    task = asyncio.create_task(turn.answer(question, reader.send))
    await asyncio.wait_for(reader.has_enough.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    return reader.events


class SlowText(FakeText):
    def __init__(self):
        self.is_asked = asyncio.Event()

    async def read(self, passages):
        self.is_asked.set()
        await asyncio.sleep(60)
