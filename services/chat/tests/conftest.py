import asyncio
import contextlib
import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
import pytest_asyncio

from chat.clients.progress import GrpcDocumentProgress
from chat.clients.search import GrpcPassageSearch
from chat.clients.text import GrpcCanonicalText
from chat.errors import ConversationNotFound
from chat.model import Exchange, OpenTurn, Owner, Passage, Question
from chat.providers.extractive import ExtractiveProvider
from chat.server import add_servicers
from chat.stores.conversations import PostgresConversations
from chat.stores.quotes import PostgresQuotes
from chat.turn.answer_question import Answerer, TurnLimits
from chat.turn.build_prompt import build_prompt
from chat.turn.generate import AnswerBounds
from chat.turn.persist import SETTLE_SECONDS, HeldTurns
from chat.turn.reserve import TokenReserve
from docuchat.chat.v1.chat_service_pb2_grpc import ChatServiceStub
from docuchat.chat.v1.conversation_service_pb2_grpc import ConversationServiceStub
from docuchat.chat.v1.source_service_pb2_grpc import SourceServiceStub
from servicekit.database import Database
from servicekit.rpc.client import open_channel


def load_beside(name):
    # importlib mode keeps test folders off sys.path, so a module beside the tests is loaded by its file.
    spec = importlib.util.spec_from_file_location(f"chat_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stubs():
    return load_beside("provider_stubs")


@pytest.fixture
def openai_stub(stubs):
    return stubs.Dialect()


@pytest.fixture
def anthropic_stub(stubs):
    return stubs.AnthropicDialect()


@pytest.fixture
def gemini_stub(stubs):
    return stubs.GeminiDialect()


@pytest.fixture(params=["openai", "anthropic", "gemini"])
def dialect(request):
    """Each provider in turn, as a local server speaks and breaks it."""
    return request.getfixturevalue(f"{request.param}_stub")


@pytest.fixture
def owner():
    return Owner(str(uuid4()), str(uuid4()))


@pytest.fixture(scope="session")
def chat_database_url(postgres_templates):
    """One database for all tests: each has an owner of its own, and the walls keep them apart."""
    with asyncio.Runner() as runner:
        clone = postgres_templates.clone("chat")
        database = runner.run(clone.__aenter__())
        yield database.url
        runner.run(clone.__aexit__(None, None, None))


@pytest_asyncio.fixture
async def database(chat_database_url):
    found = Database.connect(chat_database_url, name="test", pool_size=5)
    yield found
    await found.close()


@pytest.fixture
def make_passage():
    def make(text, marker=1, *, start=100, **more):
        fields = {"document_id": f"doc-{marker}", "version_id": "v1", "filename": f"{marker}.pdf", "title": "A title"}
        fields |= {"page_start": 3, "page_end": 4, "score": 1.0 / marker, **more}
        return Passage(marker=marker, text=text, start_offset=start, end_offset=start + len(text), **fields)

    return make


@pytest.fixture
def make_question(owner):
    def make(text, **more):
        return Question(owner=owner, text=text, **more)

    return make


class FakeConversations:
    """Keeps outcomes in a list."""

    def __init__(self, history=()):
        self.history = tuple(history)
        self.begun, self.outcomes = [], []
        self.sweeps, self.renewed = 0, []
        self.failure = None

    async def begin_turn(self, question, *, history_limit):
        if question.conversation_id == "missing":
            raise ConversationNotFound
        self.begun.append(question)
        return OpenTurn(question.owner, question.conversation_id or "new", "message", self.history[-history_limit:])

    async def finish_turn(self, turn, outcome):
        if self.failure:
            raise self.failure
        if not self.outcomes:
            self.outcomes.append(outcome)

    async def renew_leases(self, message_ids):
        self.renewed.append(message_ids)

    async def fail_stale_turns(self):
        self.sweeps += 1
        if self.failure:
            raise self.failure
        return 1


@pytest.fixture
def conversations():
    return FakeConversations()


@pytest.fixture
def prompt(make_passage):
    return build_prompt("What?", [Exchange("Who?", "Ada.")], [make_passage("Text.")], count_tokens=len, budget=10**6)


@pytest.fixture(scope="session")
def turns():
    return load_beside("turns")


@pytest.fixture
def make_turn(conversations, make_passage, turns):
    def make(*script, search=None, canonical=None, meter=None, pause=0.0, **limits):
        make.turns = HeldTurns(conversations)
        make.provider = turns.FakeProvider(*script, pause=pause)
        make.search = search or turns.FakeSearch(make_passage(turns.TEXT))
        make.meter = meter or turns.FakeMeter()
        return Answerer(
            search=make.search,
            canonical=canonical or turns.FakeText(),
            progress=turns.FakeProgress(),
            provider=make.provider,
            turns=make.turns,
            reserve=TokenReserve(make.meter, make.provider.max_output_tokens),
            count_tokens=lambda text: len(text.split()),
            limits=TurnLimits(answer=AnswerBounds(**limits)),
        )

    return make


@pytest.fixture(scope="session")
def peers():
    return load_beside("peers")


@pytest_asyncio.fixture
async def start(rpc, database, tokens, owner, peers, turns):
    """Returns a function that serves chat with a provider and gives its stubs."""
    async with contextlib.AsyncExitStack() as stack:

        async def serve(provider=None):
            fakes = peers.Peers()
            address = await stack.enter_async_context(rpc.serve(name="retrieval", add_servicers=peers.add_peers(fakes)))
            channel = await stack.enter_async_context(open_channel(address))
            conversations = PostgresConversations(database)
            held, meter = HeldTurns(conversations), turns.FakeMeter()
            # As where the process stops: what was cut off is stored before the database goes.
            stack.push_async_callback(held.settle, SETTLE_SECONDS)
            turn = Answerer(
                search=GrpcPassageSearch(channel),
                canonical=GrpcCanonicalText(channel),
                progress=GrpcDocumentProgress(channel),
                provider=provider or ExtractiveProvider(),
                turns=held,
                reserve=TokenReserve(meter, 1_000),
                count_tokens=lambda text: len(text.split()),
                limits=TurnLimits(),
            )
            adding = partial(add_servicers, turn=turn, conversations=conversations, quotes=PostgresQuotes(database))
            token, service_token = tokens.issue(owner.user_id, owner.tenant_id), tokens.issue_service("ingestion")
            chat, stranger, ingestion = [
                await stack.enter_async_context(rpc(name="chat", add_servicers=adding, token=each))
                for each in (token, tokens.issue(), service_token)
            ]
            return SimpleNamespace(
                ask=ChatServiceStub(chat).Ask,
                conversations=ConversationServiceStub(chat),
                stranger=ConversationServiceStub(stranger),
                stranger_ask=ChatServiceStub(stranger).Ask,
                sources=SourceServiceStub(ingestion),
                users_sources=SourceServiceStub(chat),
                peers=fakes,
                token=token,
                turns=held,
                meter=meter,
            )

        yield serve
