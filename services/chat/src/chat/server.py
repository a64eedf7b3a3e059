"""Puts chat together and serves it: the only file that knows both the RPC edge and the stores."""

from collections.abc import Awaitable, Callable
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
from chat.stores.quotes import PostgresQuotes
from chat.turn.answer_question import AnswerQuestion, TurnLimits
from chat.turn.generate import AnswerBounds
from chat.turn.persist import RENEW_SECONDS, SWEEP_SECONDS, HeldTurns, sweep_stale_turns
from docuchat.chat.v1.chat_service_pb2_grpc import add_ChatServiceServicer_to_server
from docuchat.chat.v1.conversation_service_pb2_grpc import add_ConversationServiceServicer_to_server
from docuchat.chat.v1.source_service_pb2_grpc import add_SourceServiceServicer_to_server
from servicekit.database import Database
from servicekit.repeating import repeat
from servicekit.rpc.client import open_channel
from servicekit.rpc.server import run_service
from servicekit.tokenization import Cl100kTokenizer


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM; /health and /status of the whole system are asked here."""
    database = Database.connect(
        settings.database_url.get_secret_value(), name="chat", pool_size=settings.database_pool_size
    )
    conversations, quotes = PostgresConversations(database), PostgresQuotes(database)
    turns = HeldTurns(conversations)
    provider = choose_provider(settings)
    async with (
        open_channel(settings.auth_target) as auth,
        open_channel(settings.retrieval_target) as retrieval,
        open_channel(settings.ingestion_target) as ingestion,
    ):
        turn = make_turn(settings, turns, provider, retrieval, ingestion)
        try:
            await run_service(
                settings,
                name="chat",
                add_servicers=servicers_of(turn, conversations, quotes),
                checks={"postgresql": database.ping},
                peers={"auth": auth, "ingestion": ingestion, "retrieval": retrieval},
                background=background_of(turns, conversations),
            )
        finally:
            await turns.settle()
            await provider.close()
            await database.close()


def make_turn(
    settings: Settings,
    turns: HeldTurns,
    provider: AnswerProvider,
    retrieval: grpc.aio.Channel,
    ingestion: grpc.aio.Channel,
) -> AnswerQuestion:
    """Puts the turn together."""
    bounds = AnswerBounds(characters=settings.answer_characters, seconds=settings.answer_seconds)
    return AnswerQuestion(
        search=GrpcPassageSearch(retrieval),
        canonical=GrpcCanonicalText(ingestion),
        progress=GrpcDocumentProgress(ingestion),
        provider=provider,
        turns=turns,
        count_tokens=Cl100kTokenizer().count,
        limits=TurnLimits(prompt_tokens=settings.prompt_token_budget, answer=bounds),
    )


def servicers_of(
    turn: AnswerQuestion, conversations: Conversations, quotes: Quotes
) -> Callable[[grpc.aio.Server], None]:
    """Returns what adds chat's servicers to a server."""

    def add(server: grpc.aio.Server) -> None:
        add_ChatServiceServicer_to_server(ChatServicer(turn), server)
        add_ConversationServiceServicer_to_server(ConversationServicer(conversations), server)
        add_SourceServiceServicer_to_server(SourceServicer(quotes), server)

    return add


def background_of(turns: HeldTurns, conversations: Conversations) -> list[Callable[[], Awaitable[None]]]:
    """Returns the work that keeps open answers alive, and the one that ends those which nobody keeps alive."""
    sweep = partial(sweep_stale_turns, conversations)
    return [
        partial(repeat, "leases", turns.renew, every_seconds=RENEW_SECONDS),
        partial(repeat, "sweep", sweep, every_seconds=SWEEP_SECONDS),
    ]
