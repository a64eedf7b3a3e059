"""Puts chat together and serves it: the only file that knows both the RPC edge and the stores."""

from contextlib import AsyncExitStack
from functools import partial

import grpc

from chat.clients.progress import GrpcDocumentProgress
from chat.clients.search import GrpcPassageSearch
from chat.clients.text import GrpcCanonicalText
from chat.config import Settings
from chat.ports import AnswerProvider, Conversations, Quotes
from chat.providers.choose_provider import choose_provider
from chat.servicers.chat import ChatServicer
from chat.servicers.conversation import ConversationServicer
from chat.servicers.source import SourceServicer
from chat.stores.conversations import PostgresConversations
from chat.stores.erasure import PostgresEraser
from chat.stores.quotes import PostgresQuotes
from chat.stores.tables import SCHEMA
from chat.turn.answer_question import Answerer, TurnLimits
from chat.turn.generate import AnswerBounds
from chat.turn.persist import RENEW_SECONDS, SWEEP_SECONDS, HeldTurns, sweep_stale_turns
from chat.turn.reserve import TokenReserve
from docuchat.chat.v1.chat_service_pb2_grpc import add_ChatServiceServicer_to_server
from docuchat.chat.v1.conversation_service_pb2_grpc import add_ConversationServiceServicer_to_server
from docuchat.chat.v1.source_service_pb2_grpc import add_SourceServiceServicer_to_server
from docuchat.common.v1.erasure_service_pb2_grpc import add_ErasureServiceServicer_to_server
from servicekit.config import reveal_service_secret
from servicekit.database import open_database
from servicekit.erasure import Erase
from servicekit.metering.meter import GrpcUsageMeter
from servicekit.metering.outbox import UsageOutbox
from servicekit.repeating import repeat
from servicekit.rpc.client import ServiceIdentity, open_channel
from servicekit.rpc.erasure_service import ErasureServicer
from servicekit.rpc.server import run_service
from servicekit.tokenization import Cl100kTokenizer

# How late a tenant's account may be about what was answered.
REPORT_SECONDS = 1.0


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM; /health and /status of the whole system are asked here."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, name="chat"))
        provider = choose_provider(settings)
        stack.push_async_callback(provider.close)
        auth, retrieval, ingestion = [
            await stack.enter_async_context(open_channel(target))
            for target in (settings.auth_target, settings.retrieval_target, settings.ingestion_target)
        ]
        identity = ServiceIdentity(auth, "chat", reveal_service_secret(settings))
        # Set aside while the search runs: whatever a second try took, the first text would wait for.
        own_auth = await stack.enter_async_context(open_channel(settings.auth_target, identity=identity, retries=False))
        meter = GrpcUsageMeter(own_auth)
        conversations = PostgresConversations(database)
        turns = HeldTurns(conversations)
        stack.push_async_callback(turns.settle)
        reserve = TokenReserve(meter, provider.max_output_tokens)
        turn = make_turn(settings, turns, provider, reserve, retrieval, ingestion)
        outbox = UsageOutbox(SCHEMA, database)

        async def report_usage() -> None:
            ended = reserve.note_ended()
            await outbox.send(meter)
            await reserve.settle(ended)

        await run_service(
            settings,
            name="chat",
            add_servicers=partial(
                add_servicers,
                turn=turn,
                conversations=conversations,
                quotes=PostgresQuotes(database),
                erase=PostgresEraser(database).erase,
            ),
            checks={"postgresql": database.ping},
            peers={"auth": auth, "ingestion": ingestion, "retrieval": retrieval},
            background=[
                partial(repeat, "leases", turns.renew, every_seconds=RENEW_SECONDS),
                partial(repeat, "sweep", partial(sweep_stale_turns, conversations), every_seconds=SWEEP_SECONDS),
                partial(repeat, "usage", report_usage, every_seconds=REPORT_SECONDS),
            ],
        )


def make_turn(
    settings: Settings,
    turns: HeldTurns,
    provider: AnswerProvider,
    reserve: TokenReserve,
    retrieval: grpc.aio.Channel,
    ingestion: grpc.aio.Channel,
) -> Answerer:
    """Puts the turn together."""
    bounds = AnswerBounds(characters=settings.answer_characters, seconds=settings.answer_seconds)
    return Answerer(
        search=GrpcPassageSearch(retrieval),
        canonical=GrpcCanonicalText(ingestion),
        progress=GrpcDocumentProgress(ingestion),
        provider=provider,
        turns=turns,
        reserve=reserve,
        count_tokens=Cl100kTokenizer().count,
        limits=TurnLimits(prompt_tokens=settings.prompt_token_budget, answer=bounds),
    )


def add_servicers(
    server: grpc.aio.Server, *, turn: Answerer, conversations: Conversations, quotes: Quotes, erase: Erase
) -> None:
    """Adds chat's services to a server."""
    add_ChatServiceServicer_to_server(ChatServicer(turn), server)
    add_ConversationServiceServicer_to_server(ConversationServicer(conversations), server)
    add_SourceServiceServicer_to_server(SourceServicer(quotes), server)
    add_ErasureServiceServicer_to_server(ErasureServicer(erase), server)
