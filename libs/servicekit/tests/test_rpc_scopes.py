"""What an API key's token may do, and how many calls a tenant's plan has."""

import time
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from docuchat.chat.v1 import chat_service_pb2
from docuchat.chat.v1.chat_service_pb2_grpc import ChatServiceStub
from docuchat.chat.v1.conversation_service_pb2 import ListConversationsRequest
from docuchat.chat.v1.conversation_service_pb2_grpc import ConversationServiceStub
from docuchat.common.v1 import access_pb2
from docuchat.retrieval.v1 import search_service_pb2
from servicekit.errors import Code
from servicekit.identity import Principal, Role, Scope, acting_as
from servicekit.rpc.access import ScopeMissing, authenticate
from servicekit.rpc.call import Call
from servicekit.rpc.client import open_channel
from servicekit.rpc.rate import MAX_REMEMBERED, Rates, TenantRateLimited
from servicekit.rpc.status import read_error
from servicekit.tokens import TokenInvalid

from .toy_service import Toy, adder

ASK = "/docuchat.chat.v1.ChatService/Ask"
LIST = "/docuchat.chat.v1.ConversationService/ListConversations"
SEARCH = f"/{search_service_pb2.DESCRIPTOR.services_by_name['SearchService'].full_name}/Search"
DELETE = "/docuchat.ingestion.v1.DocumentService/DeleteDocument"
TENANT = "0b9f8f9e-64f5-4f8e-9d29-3f4f1a0f7c11"


def call(method, token):
    return Call(method, "r", (("authorization", f"Bearer {token}"),), None)


@pytest.mark.parametrize(
    ("method", "opened_by"),
    [(ASK, {Scope.ASK}), (LIST, {Scope.READ, Scope.ASK}), (SEARCH, {Scope.READ, Scope.ASK}), (DELETE, {Scope.WRITE})],
)
@pytest.mark.parametrize("scope", Scope)
async def test_one_of_a_methods_scopes_opens_it_to_a_key_and_no_other_does(tokens, method, opened_by, scope):
    token = tokens.issue_key(scope)
    if scope in opened_by:
        assert (await authenticate(call(method, token), tokens.verifier)).scopes == {scope}
        return
    with pytest.raises(ScopeMissing) as caught:
        await authenticate(call(method, token), tokens.verifier)
    assert caught.value.metadata["scope"] == " or ".join(sorted(opened_by))


async def test_a_person_has_every_scope(tokens):
    principal = await authenticate(call(DELETE, tokens.issue()), tokens.verifier)
    assert (principal.scopes, principal.api_key_id, principal.requests_per_minute) == (None, "", 0)


async def test_a_key_without_the_scope_is_refused_over_grpc_before_the_handler(rpc, tokens):
    toy = Toy()
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue_key(Scope.WRITE)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ConversationServiceStub(channel).ListConversations(ListConversationsRequest())
    error = read_error(caught.value)
    assert (error.code, error.reason, toy.calls) == (Code.PERMISSION_DENIED, "SCOPE_MISSING", 0)
    assert error.metadata["scope"] == "ASK or READ"


def test_the_scopes_of_tokens_and_of_protos_are_the_same():
    assert {scope.value for scope in Scope} == set(access_pb2.Scope.keys()) - {"SCOPE_UNSPECIFIED"}


@pytest.mark.parametrize(
    "claims",
    [
        {"key": "k"},
        {"key": "", "scp": ["READ"]},
        {"key": 7, "scp": ["READ"]},
        {"scp": "READ"},
        {"scp": ["EVERYTHING"]},
        {"scp": [7]},
        {"scp": None},
        {"lim": "many"},
        {"lim": True},
        {"lim": -1},
        {"lim": 2**31},
        {"lim": 1.5},
    ],
)
async def test_claims_that_say_nothing_clear_make_no_token(tokens, claims):
    with pytest.raises(TokenInvalid):
        await tokens.verifier.verify(tokens.sign({"sub": "u", "tid": "t", "role": "MEMBER", **claims}))


async def test_a_key_without_any_scope_may_nothing(tokens):
    with pytest.raises(ScopeMissing):
        await authenticate(call(LIST, tokens.issue_key()), tokens.verifier)


class FakeClock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def caller(limit, tenant_id=TENANT):
    soon = datetime.now(UTC) + timedelta(hours=1)
    return Principal("u", tenant_id, Role.MEMBER, "s", soon, "", requests_per_minute=limit)


def count_passed(rates, who, calls):
    passed = 0
    for _ in range(calls):
        try:
            rates.count(who, ())
        except TenantRateLimited:
            continue
        passed += 1
    return passed


def test_a_tenant_has_its_minute_at_once_and_then_the_pace_of_it():
    clock = FakeClock()
    rates = Rates(clock=clock)
    assert count_passed(rates, caller(30), 100) == 30
    assert count_passed(rates, caller(30, "another"), 100) == 30
    with pytest.raises(TenantRateLimited) as caught:
        rates.count(caller(30), ())
    assert caught.value.retry_after_seconds == pytest.approx(2)
    clock.now += 2
    assert count_passed(rates, caller(30), 10) == 1
    clock.now += 60
    assert count_passed(rates, caller(30), 100) == 30


def test_a_refused_call_costs_nothing():
    clock = FakeClock()
    rates = Rates(clock=clock)
    count_passed(rates, caller(60), 10_000)
    clock.now += 1
    assert count_passed(rates, caller(60), 10) == 1


def test_what_is_remembered_has_an_end_and_is_forgotten_once_it_says_nothing():
    clock = FakeClock()
    rates = Rates(clock=clock)
    for number in range(MAX_REMEMBERED + 50):
        rates.count(caller(60, f"tenant {number}"), ())
    assert len(rates._full_at) == MAX_REMEMBERED
    clock.now += 60
    rates.count(caller(60), ())
    assert list(rates._full_at) == [TENANT]


async def test_the_limit_holds_for_calls_and_a_call_that_goes_on_to_another_service_counts_once(rpc, tokens):
    token = tokens.sign({"sub": "u", "tid": TENANT, "role": "MEMBER", "lim": 3})
    async with rpc.serve(name="chat", add_servicers=adder(Toy())) as address:
        principal = await tokens.verifier.verify(token)
        async with open_channel(address) as forwarding:
            with acting_as(principal):
                for _ in range(10):
                    await ConversationServiceStub(forwarding).ListConversations(ListConversationsRequest())

        async def identity():
            return token

        async with open_channel(address, identity=identity) as channel:
            began = time.monotonic()
            for _ in range(3):
                await ConversationServiceStub(channel).ListConversations(ListConversationsRequest())
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="x")).read()
    error = read_error(caught.value)
    assert time.monotonic() - began < 20
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "TENANT_RATE_LIMITED")
    assert 0 < error.retry_after_seconds <= 20
