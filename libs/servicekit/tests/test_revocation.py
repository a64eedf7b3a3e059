import asyncio

from servicekit import revocation
from servicekit.errors import DependencyUnavailable
from servicekit.revocation import KEEP_SECONDS, RevokedSessions


async def follow_for(revoked, seconds):
    task = asyncio.create_task(revoked.follow())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_that_breaks_is_taken_up_again_and_nothing_is_forgotten(monkeypatch):
    monkeypatch.setattr(revocation, "RETRY_SECONDS", 0.01)
    begun = []

    async def watch():
        begun.append(len(begun))
        yield [f"session {len(begun)}"]
        if len(begun) == 1:
            raise DependencyUnavailable("auth")
        await asyncio.sleep(10)

    revoked = RevokedSessions(watch)
    await follow_for(revoked, 0.1)
    assert begun == [0, 1]
    assert "session 1" in revoked
    assert "session 2" in revoked
    assert "" not in revoked


async def test_while_auth_is_silent_nobody_is_refused(monkeypatch):
    monkeypatch.setattr(revocation, "RETRY_SECONDS", 0.01)

    async def watch():
        raise DependencyUnavailable("auth")
        yield []

    revoked = RevokedSessions(watch)
    await follow_for(revoked, 0.05)
    assert "session" not in revoked


async def test_a_session_is_forgotten_when_no_token_of_it_can_be_good_any_more():
    now = [0.0]

    async def watch():
        yield ["old"]
        now[0] = KEEP_SECONDS + 1
        yield ["new"]

    revoked = RevokedSessions(watch, clock=lambda: now[0])
    await follow_for(revoked, 0.05)
    assert "old" not in revoked
    assert "new" in revoked
