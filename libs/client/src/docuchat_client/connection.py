"""A channel to the gateway whose calls carry the token, a deadline and typed errors."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import grpc

from docuchat_client.errors import read_error
from docuchat_client.session import Session

Answer = TypeVar("Answer")
Metadata = tuple[tuple[str, str], ...]


class PageRequest(Protocol):
    """A request for one page of a list."""

    page_token: str


class Page(Protocol):
    """One page of a list; without a token it is the last."""

    next_page_token: str


AnyRequest = TypeVar("AnyRequest", bound=PageRequest)
AnyPage = TypeVar("AnyPage", bound=Page)

CALL_SECONDS = 15
PAGE_SIZE = 100
MAX_ANSWER_BYTES = 128 * 1024 * 1024
# Only what reads: a write that is sent twice may happen twice.
READING = {
    "docuchat.ingestion.v1.DocumentService": (
        "GetDocument",
        "ListDocuments",
        "ListChunks",
        "GetDocumentText",
        "BatchGetDocumentTexts",
    ),
    "docuchat.chat.v1.ConversationService": ("GetConversation", "ListConversations", "ListMessages"),
    "docuchat.auth.v1.UserService": ("GetMe",),
    "docuchat.retrieval.v1.SearchService": ("Search",),
}


def open_channel(target: str) -> grpc.aio.Channel:
    """Opens a channel to `https://host[:port]`, `http://host[:port]` or `host:port` (the last two unencrypted).

    Raises ValueError for anything else.
    """
    secure, address = parse_target(target)
    if secure:
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(), options=_options())
    return grpc.aio.insecure_channel(address, options=_options())


def parse_target(target: str) -> tuple[bool, str]:
    """Returns whether to encrypt, and host:port."""
    parts = urlsplit(target if "://" in target else f"http://{target}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{target!r} is no gateway address; write http://host:port or https://host")
    secure = parts.scheme == "https"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        port = parts.port or (443 if secure else 80)
    except ValueError as error:
        raise ValueError(f"{target!r} is no gateway address: its port must be a number up to 65535") from error
    return secure, f"{host}:{port}"


def _options() -> list[tuple[str, Any]]:
    names = [{"service": service, "method": method} for service, methods in READING.items() for method in methods]
    retry = {
        "maxAttempts": 3,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = json.dumps({"methodConfig": [{"name": names, "retryPolicy": retry}]})
    return [("grpc.service_config", config), ("grpc.max_receive_message_length", MAX_ANSWER_BYTES)]


class Connection:
    """Makes calls in the name of a session."""

    def __init__(self, channel: grpc.aio.Channel, session: Session) -> None:
        self.channel = channel
        self._session = session

    async def call(self, send: Callable[[Metadata], Awaitable[Answer]]) -> Answer:
        """Returns what `send` returns; tries again once, with new tokens, if they had expired.

        Raises DocuChatError.
        """
        used = await self._session.bearer()
        try:
            return await send(_authorize(used))
        except grpc.aio.AioRpcError as error:
            failure = read_error(error)
            if not await self._session.recover(failure, used):
                raise failure from error
        return await self._call_once(send)

    async def _call_once(self, send: Callable[[Metadata], Awaitable[Answer]]) -> Answer:
        try:
            return await send(_authorize(await self._session.bearer()))
        except grpc.aio.AioRpcError as error:
            raise read_error(error) from error

    async def read_pages(
        self, request: AnyRequest, method: "grpc.aio.UnaryUnaryMultiCallable[AnyRequest, AnyPage]"
    ) -> AsyncIterator[AnyPage]:
        """Yields a list page by page, as the loop asks for more. Raises DocuChatError."""
        while True:
            page = await self.call(lambda metadata: method(request, timeout=CALL_SECONDS, metadata=metadata))
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def stream(
        self, start: Callable[[Metadata], "grpc.aio.UnaryStreamCall[Any, Answer]"]
    ) -> AsyncGenerator[Answer]:
        """Yields the messages of a server stream, and cancels it when the reader stops. Raises DocuChatError."""

        async def begin(metadata: Metadata) -> tuple["grpc.aio.UnaryStreamCall[Any, Answer]", Any]:
            call = start(metadata)
            return call, await call.read()

        call, message = await self.call(begin)
        try:
            while message is not grpc.aio.EOF:
                yield cast("Answer", message)
                message = await call.read()
        except grpc.aio.AioRpcError as error:
            raise read_error(error) from error
        finally:
            call.cancel()


def _authorize(token: str | None) -> Metadata:
    return (("authorization", f"Bearer {token}"),) if token else ()
