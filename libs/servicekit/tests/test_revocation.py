import asyncio
from contextlib import asynccontextmanager

import pytest

from servicekit import revocation
from servicekit.errors import DependencyUnavailable
from servicekit.revocation import KEEP_SECONDS, Announcement, RevokedSessions


@asynccontextmanager
async def following(revoked):
    task = asyncio.create_task(revoked.follow())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(revocation, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(revocation, "PATIENCE_SECONDS", 0.1)


async def test_a_stream_that_breaks_is_taken_up_again_and_nothing_is_forgotten():
    begun, again = [], asyncio.Event()

    async def watch():
        begun.append(len(begun))
        yield Announcement([f"session {len(begun)}"], caught_up=True)
        if len(begun) == 1:
            raise DependencyUnavailable("auth")
        again.set()
        await asyncio.Event().wait()

    revoked = RevokedSessions(watch)
    async with following(revoked):
        await asyncio.wait_for(again.wait(), 1)
        assert begun == [0, 1]
        assert await revoked.includes("session 1")
        assert await revoked.includes("session 2")
        assert not await revoked.includes("session 3")


async def test_who_has_not_heard_the_list_judges_nobody():
    async def watch():
        yield Announcement(["ended"], caught_up=False)
        await asyncio.Event().wait()

    revoked = RevokedSessions(watch)
    async with following(revoked):
        with pytest.raises(DependencyUnavailable) as caught:
            await revoked.includes("another")
        assert caught.value.metadata == {"dependency": "auth"}
        # What was named already can be judged.
        assert await revoked.includes("ended")


async def test_the_first_calls_wait_a_moment_for_the_list():
    heard = asyncio.Event()

    async def watch():
        await heard.wait()
        yield Announcement(["ended"], caught_up=False)
        yield Announcement([], caught_up=True)
        await asyncio.Event().wait()

    revoked = RevokedSessions(watch)
    async with following(revoked):
        judging = [asyncio.ensure_future(revoked.includes(name)) for name in ("ended", "alive")]
        await asyncio.sleep(0)
        assert not any(task.done() for task in judging)
        heard.set()
        assert await asyncio.gather(*judging) == [True, False]


async def test_once_the_list_was_heard_the_silence_of_auth_stops_nobody():
    silent = asyncio.Event()

    async def watch():
        if silent.is_set():
            raise DependencyUnavailable("auth")
        yield Announcement(["ended"], caught_up=True)
        silent.set()

    revoked = RevokedSessions(watch)
    async with following(revoked):
        assert not await revoked.includes("alive")
        await asyncio.wait_for(silent.wait(), 1)
        assert await revoked.includes("ended")
        assert not await revoked.includes("alive")


async def test_a_session_is_forgotten_when_no_token_of_it_can_be_good_any_more():
    now, over = [0.0], asyncio.Event()

    async def watch():
        yield Announcement(["old", "named again"], caught_up=True)
        now[0] = KEEP_SECONDS - 1
        yield Announcement(["named again"], caught_up=False)
        now[0] = KEEP_SECONDS + 1
        yield Announcement(["new"], caught_up=False)
        over.set()
        await asyncio.Event().wait()

    revoked = RevokedSessions(watch, clock=lambda: now[0])
    async with following(revoked):
        await asyncio.wait_for(over.wait(), 1)
        found = {name: await revoked.includes(name) for name in ("old", "named again", "new")}
    assert found == {"old": False, "named again": True, "new": True}
