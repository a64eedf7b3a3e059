"""The RPC edge of asking."""

from typing import Any

import grpc

from chat.convert import to_event_proto, to_owner, to_question
from chat.model import Event
from chat.turn.answer_question import Answerer
from docuchat.chat.v1 import chat_service_pb2
from docuchat.chat.v1.chat_service_pb2_grpc import ChatServiceServicer
from servicekit.identity import current_principal

Context = grpc.aio.ServicerContext[Any, Any]


class ChatServicer(ChatServiceServicer):
    """Serves ChatService."""

    def __init__(self, turn: Answerer) -> None:
        self._turn = turn

    async def Ask(  # type: ignore[override]  # the other shape that grpc.aio knows: it writes by itself
        self,
        request: chat_service_pb2.AskRequest,
        context: Context,
    ) -> None:
        """Answers one question as numbered events, which the turn writes itself as the client takes them."""
        question = to_question(request, to_owner(current_principal()))
        sequence = 0

        async def send(event: Event) -> None:
            nonlocal sequence
            message = to_event_proto(sequence + 1, event)
            sequence += 1
            await context.write(message)

        await self._turn.answer(question, send)
