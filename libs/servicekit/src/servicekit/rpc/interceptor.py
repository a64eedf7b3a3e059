"""Putting the layers around handlers of all four shapes."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc

from servicekit.rpc.call import Call, ServicerContext
from servicekit.rpc.layers import Layers
from servicekit.rpc.validation import read_any, validate_request

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Next: TypeAlias = "Callable[[Details], Awaitable[Handler | None]]"
Details = grpc.HandlerCallDetails
REQUEST_ID = "x-request-id"


class LayeredInterceptor(grpc.aio.ServerInterceptor):
    """Puts the layers around every handler once, and the validation of each request message inside of them."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        # As many as the server has methods: what no servicer handles is not kept.
        self._surrounded: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(self, continuation: Next, handler_call_details: Details) -> Any:  # noqa: ANN401 - grpc's own signature
        """Returns the handler with the layers around it."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        known = self._surrounded.get(method)
        if known is None or known[0] is not handler:
            known = self._surrounded[method] = (handler, self._surround(handler, method))
        return known[1]

    def _surround(self, handler: Handler, method: str) -> Handler:
        read, write = read_any(handler.request_deserializer), handler.response_serializer
        if handler.request_streaming and handler.response_streaming:
            run = self._answer_many(method, handler.stream_stream, check_each)
            return grpc.stream_stream_rpc_method_handler(run, read, write)
        if handler.response_streaming:
            run = self._answer_many(method, handler.unary_stream, validate_request)
            return grpc.unary_stream_rpc_method_handler(run, read, write)
        if handler.request_streaming:
            run = self._answer_once(method, handler.stream_unary, check_whole)
            return grpc.stream_unary_rpc_method_handler(run, read, write)
        run = self._answer_once(method, handler.unary_unary, check_one)
        return grpc.unary_unary_rpc_method_handler(run, read, write)

    def _answer_once(self, method: str, handle: Any, check: Callable[[Any, ServicerContext], Any]) -> Any:  # noqa: ANN401
        async def answer(request: Any, context: ServicerContext) -> Any:  # noqa: ANN401 - any message type
            async def work() -> Any:  # noqa: ANN401
                return await handle(check(request, context), context)

            return await self._layers.run(describe_call(method, request, context), work)

        return answer

    def _answer_many(self, method: str, handle: Any, check: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        # A coroutine that writes, not a generator: cancelling it closes the handler's generator in the same
        # task, where a generator that nobody iterates any more would wait for the garbage collector.
        async def answer(request: Any, context: ServicerContext) -> None:  # noqa: ANN401 - any message type
            async def work() -> None:
                answering = handle(check(request), context)
                # The other shape that grpc.aio knows, a coroutine that writes by itself: its Health.Watch is one.
                if isinstance(answering, Awaitable):
                    await answering
                    return
                async with aclosing(answering) as messages:
                    async for message in messages:
                        await context.write(message)

            await self._layers.run(describe_call(method, request, context), work)

        return answer


def describe_call(method: str, request: object, context: ServicerContext) -> Call:
    """Returns what the layers look at."""
    metadata = tuple(context.invocation_metadata() or ())
    requests = request if isinstance(request, AsyncIterator) else None
    return Call(method, find_request_id(metadata), metadata, context, requests)


def check_one(request: Any, _: ServicerContext) -> Any:  # noqa: ANN401 - any message type
    """Returns a request message that keeps its rules. Raises InvalidField."""
    return validate_request(request)


async def check_each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yields request messages that keep their rules. Raises InvalidField at the first that does not."""
    async for request in requests:
        yield validate_request(request)


async def check_whole(requests: AsyncIterator[Any], context: ServicerContext) -> AsyncIterator[Any]:
    """Yields request messages as check_each does, and ends only where the caller has ended them.

    grpc.aio shows the end of a stream that broke off like the end of a whole one, and cancels the call
    milliseconds later. So the answer begins here: to a caller who has gone nothing can be sent.
    """
    async for request in requests:
        yield validate_request(request)
    await context.send_initial_metadata(())


def find_request_id(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Returns the gateway's request id, or a new one."""
    sent = [value for key, value in metadata if key == REQUEST_ID and isinstance(value, str)]
    return sent[0] if sent and len(sent[0]) <= 64 else str(uuid.uuid4())
