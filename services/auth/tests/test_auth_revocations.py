"""Which sessions have ended, from auth's table to the verifiers of other services."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest

from auth.accounts.log_out import log_out
from auth.accounts.revocations import BATCH, RevocationFeed
from auth.accounts.sign_up import sign_up
from auth.model import Registration
from docuchat.auth.v1 import auth_service_pb2 as pb
from docuchat.auth.v1 import user_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from servicekit.config import ServiceSettings
from servicekit.errors import DependencyUnavailable
from servicekit.rpc.trust import trust_auth
from servicekit.tokens import TokenInvalid

PASSWORD = "violet tractor hums at dawn"


async def join(needs, name="ann"):
    return (await sign_up(needs, Registration(f"{name}@example.com", PASSWORD))).tokens


@asynccontextmanager
async def following(follow):
    task = asyncio.create_task(follow())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ended_sessions(needs):
    return [each.session_id for each in needs.sessions.sessions.values() if each.revoke_time]


async def test_whoever_watches_hears_of_all_ended_sessions_and_then_of_each_new_one(needs):
    first, second = await join(needs), await join(needs, "bob")
    await log_out(needs, first.refresh_token)
    feed = RevocationFeed(needs, interval=0.01)
    async with following(feed.follow):
        heard = feed.watch()
        assert await anext(heard) == await ended_sessions(needs)
        await log_out(needs, second.refresh_token)
        (late,) = await asyncio.wait_for(anext(heard), 1)
        assert late in await ended_sessions(needs)
        assert late in feed


async def test_a_session_is_forgotten_when_its_access_tokens_are_over(needs):
    await log_out(needs, (await join(needs)).refresh_token)
    feed = RevocationFeed(needs, interval=0.01)
    (session_id,) = await ended_sessions(needs)
    async with following(feed.follow):
        await asyncio.sleep(0.05)
        assert session_id in feed
        needs.clock.advance(minutes=18)
        await asyncio.sleep(0.05)
        assert session_id not in feed


async def test_a_database_that_is_away_ends_neither_the_feed_nor_what_it_knows(needs):
    await log_out(needs, (await join(needs)).refresh_token)
    feed = RevocationFeed(needs, interval=0.01)
    async with following(feed.follow) as task:
        await asyncio.sleep(0.05)
        needs.sessions.failure = DependencyUnavailable("postgresql")
        await asyncio.sleep(0.05)
        assert not task.done()
        assert (await ended_sessions(needs))[0] in feed


async def test_many_ended_sessions_come_in_messages_of_bounded_size(needs, monkeypatch):
    async def list_revoked(_since):
        return [str(number) for number in range(BATCH + 1)]

    monkeypatch.setattr(needs.sessions, "list_revoked", list_revoked)
    feed = RevocationFeed(needs, interval=0.01)
    async with following(feed.follow):
        heard = feed.watch()
        assert [len(await anext(heard)), len(await anext(heard))] == [BATCH, 1]


async def test_the_end_of_the_feed_lets_everyone_go(needs):
    feed = RevocationFeed(needs, interval=0.01)
    async with following(feed.follow) as task:
        waiting = asyncio.ensure_future(anext(feed.watch(), None))
        await asyncio.sleep(0.05)
        task.cancel()
        assert await asyncio.wait_for(waiting, 1) is None


async def verify_again_and_again(verifier, token):
    while True:
        await verifier.verify(token)
        await asyncio.sleep(0.02)


async def test_after_log_out_another_service_refuses_the_access_token_within_seconds(stack):
    stub = AuthServiceStub(stack.channel)
    made = await stub.SignUp(pb.SignUpRequest(email="ann@example.com", password=PASSWORD))
    other = await stub.Login(pb.LoginRequest(email="ann@example.com", password=PASSWORD))
    verifier, follow = trust_auth(ServiceSettings(database_url=stack.database.url, auth_target=stack.address))
    async with following(follow):
        await verifier.verify(made.tokens.access_token)
        await stub.Logout(pb.LogoutRequest(refresh_token=made.tokens.refresh_token))
        with pytest.raises(TokenInvalid):
            await asyncio.wait_for(verify_again_and_again(verifier, made.tokens.access_token), 5)
        await verifier.verify(other.tokens.access_token)


async def test_auth_itself_refuses_the_access_token_of_an_ended_session(stack):
    stub = AuthServiceStub(stack.channel)
    made = await stub.SignUp(pb.SignUpRequest(email="ann@example.com", password=PASSWORD))
    await stub.Logout(pb.LogoutRequest(refresh_token=made.tokens.refresh_token))
    await asyncio.sleep(0.5)
    async with stack.channel_with(made.tokens.access_token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await UserServiceStub(channel).GetMe(user_service_pb2.GetMeRequest())
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
