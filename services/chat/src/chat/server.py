"""Puts chat together and serves it: the only file that knows both the RPC edge and the stores."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import grpc

from chat.clients.search import GrpcPassageSearch
from chat.clients.text import GrpcCanonicalText
from chat.config import Settings
from chat.ports import AnswerProvider, Conversations
from chat.providers.choose_provider import choose_provider
from chat.servicers.chat import ChatServicer
from chat.servicers.conversation import ConversationServicer
from chat.stores.conversations import PostgresConversations
from chat.turn.answer_question import AnswerQuestion, TurnLimits
from chat.turn.generate import AnswerBounds
from chat.turn.persist import sweep_stale_turns
from docuchat.chat.v1.chat_service_pb2_grpc import add_ChatServiceServicer_to_server
from docuchat.chat.v1.conversation_service_pb2_grpc import add_ConversationServiceServicer_to_server
from servicekit.database import Database
from servicekit.rpc.client import open_channel
from servicekit.rpc.server import run_service
from servicekit.tokenization import Cl100kTokenizer

STALE_MARGIN = timedelta(seconds=30)


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM; /health and /status of the whole system are asked here."""
    database = Database.connect(
        settings.database_url.get_secret_value(), name="chat", pool_size=settings.database_pool_size
    )
    conversations = PostgresConversations(database)
    provider = choose_provider(settings)
    async with (
        open_channel(settings.auth_target) as auth,
        open_channel(settings.retrieval_target) as retrieval,
        open_channel(settings.ingestion_target) as ingestion,
    ):
        turn = make_turn(settings, conversations, provider, retrieval, ingestion)
        try:
            await run_service(
                settings,
                name="chat",
                add_servicers=servicers_of(turn, conversations),
                checks={"postgresql": database.ping},
                peers={"auth": auth, "ingestion": ingestion, "retrieval": retrieval},
                background=[sweeper_of(settings, conversations)],
            )
        finally:
            await turn.settle()
            await provider.close()
            await database.close()


def make_turn(
    settings: Settings,
    conversations: Conversations,
    provider: AnswerProvider,
    retrieval: grpc.aio.Channel,
    ingestion: grpc.aio.Channel,
) -> AnswerQuestion:
    """Puts the turn together."""
    bounds = AnswerBounds(characters=settings.answer_characters, seconds=settings.answer_seconds)
    return AnswerQuestion(
        search=GrpcPassageSearch(retrieval),
        canonical=GrpcCanonicalText(ingestion),
        provider=provider,
        conversations=conversations,
        count_tokens=Cl100kTokenizer().count,
        limits=TurnLimits(prompt_tokens=settings.prompt_token_budget, answer=bounds),
    )


def servicers_of(turn: AnswerQuestion, conversations: Conversations) -> Callable[[grpc.aio.Server], None]:
    """Returns what adds chat's servicers to a server."""

    def add(server: grpc.aio.Server) -> None:
        add_ChatServiceServicer_to_server(ChatServicer(turn), server)
        add_ConversationServiceServicer_to_server(ConversationServicer(conversations), server)

    return add


def sweeper_of(settings: Settings, conversations: Conversations) -> Callable[[], Awaitable[None]]:
    """Returns the background work that ends answers which a crash left streaming."""
    older_than = timedelta(seconds=settings.answer_seconds) + STALE_MARGIN

    async def sweep() -> None:
        await sweep_stale_turns(conversations, older_than=older_than)

    return sweep
