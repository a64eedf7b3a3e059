"""DocuChat: one object for everything a user can do through the gateway."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

from docuchat.auth.v1 import auth_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.chat.v1.ask_event_pb2 import AskEvent
from docuchat.chat.v1.chat_service_pb2 import AskRequest
from docuchat.chat.v1.chat_service_pb2_grpc import ChatServiceStub
from docuchat.common.v1 import status_service_pb2
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceStub
from docuchat.retrieval.v1.hit_pb2 import Hit
from docuchat.retrieval.v1.search_service_pb2 import SearchRequest
from docuchat.retrieval.v1.search_service_pb2_grpc import SearchServiceStub
from docuchat_client.accounts import Accounts, read_tokens
from docuchat_client.admin import Administration
from docuchat_client.connection import CALL_SECONDS, Connection, open_channel
from docuchat_client.conversations import Conversations
from docuchat_client.documents import Documents
from docuchat_client.session import OnTokens, Session, Tokens

SEARCH_SECONDS = 30
ASK_SECONDS = 300


class DocuChat(Accounts, Documents, Conversations):
    """A client of one gateway in the name of one user.

    Answers are the messages of the protos. Every call has a deadline and raises
    DocuChatError. An access token that expires is renewed on the way.
    """

    def __init__(self, connection: Connection, session: Session) -> None:
        Accounts.__init__(self, connection, session)
        Documents.__init__(self, connection)
        Conversations.__init__(self, connection)
        self.admin = Administration(connection)
        channel = connection.channel
        self._chat = ChatServiceStub(channel)
        self._search = SearchServiceStub(channel)
        self._status = StatusServiceStub(channel)

    @classmethod
    def connect(
        cls,
        target: str,
        *,
        access_token: str = "",
        refresh_token: str = "",
        device_token: str = "",
        on_tokens: OnTokens | None = None,
    ) -> Self:
        """Makes a client for `http://host:port`, `https://host` or `host:port`; connects with the first call.

        `on_tokens` hears every new pair of tokens, to store it: each refresh
        token is good for one use. `device_token` is what an earlier log-in on this
        device gave; it keeps the failures of others from slowing this one down.
        Close with `await close()` or `async with`.
        """
        channel = open_channel(target)
        auth = AuthServiceStub(channel)

        async def renew(old: str) -> Tokens:
            request = auth_service_pb2.RefreshRequest(refresh_token=old)
            # A connection of its own: renewing must not wait for the tokens it is to bring.
            bare = Connection(channel, Session(renew))
            answer = await bare.call(lambda metadata: auth.Refresh(request, timeout=CALL_SECONDS, metadata=metadata))
            return read_tokens(answer.tokens)

        tokens = Tokens(access_token, refresh_token) if access_token or refresh_token else None
        session = Session(renew, tokens, on_tokens, device_token)
        return cls(Connection(channel, session), session)

    async def close(self) -> None:
        """Closes the channel and ends what runs on it."""
        await self._connection.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def status(self) -> Sequence[status_service_pb2.ComponentStatus]:
        """Returns every service and what it depends on, with version and state; needs no log-in."""
        request = status_service_pb2.GetStatusRequest()
        answer = await self._connection.call(
            lambda metadata: self._status.GetStatus(request, timeout=CALL_SECONDS, metadata=metadata)
        )
        return answer.components

    async def search(
        self, query: str, *, top_k: int = 8, document_ids: Sequence[str] = (), collection_ids: Sequence[str] = ()
    ) -> Sequence[Hit]:
        """Returns the passages that match best, best first, at most `top_k` (50)."""
        request = SearchRequest(query=query, top_k=top_k, document_ids=document_ids, collection_ids=collection_ids)
        answer = await self._connection.call(
            lambda metadata: self._search.Search(request, timeout=SEARCH_SECONDS, metadata=metadata)
        )
        return answer.hits

    async def ask(
        self,
        question: str,
        *,
        conversation_id: str = "",
        document_ids: Sequence[str] = (),
        collection_ids: Sequence[str] = (),
        timeout_seconds: float = ASK_SECONDS,
    ) -> AsyncGenerator[AskEvent]:
        """Yields the events of an answer; the last is `completed` or `error`. Leaving the loop cancels the answer."""
        request = AskRequest(
            question=question,
            conversation_id=conversation_id,
            document_ids=document_ids,
            collection_ids=collection_ids,
        )
        events = self._connection.stream(
            lambda metadata: self._chat.Ask(request, timeout=timeout_seconds, metadata=metadata)
        )
        async with aclosing(events):
            async for event in events:
                yield event
