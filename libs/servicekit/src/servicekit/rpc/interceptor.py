"""Putting the layers around handlers of all four shapes."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc

from servicekit.rpc.call import Call, Layer, ServicerContext
from servicekit.rpc.validation import read_any, validate_request

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Next: TypeAlias = "Callable[[Details], Awaitable[Handler | None]]"
Details = grpc.HandlerCallDetails
REQUEST_ID = "x-request-id"


class LayeredInterceptor(grpc.aio.ServerInterceptor):
    """Enters every layer, outermost first, validates each request message, and runs the handler inside."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)

    async def intercept_service(self, continuation: Next, handler_call_details: Details) -> Any:  # noqa: ANN401 - grpc's own signature
        """Returns the handler with the layers around it."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        return self._surround(handler, handler_call_details)

    @asynccontextmanager
    async def _enter(self, details: Details, context: ServicerContext, request: object) -> AsyncIterator[None]:
        metadata = tuple((key, value) for key, value in details.invocation_metadata or ())
        requests = request if isinstance(request, AsyncIterator) else None
        call = Call(details.method, find_request_id(metadata), metadata, context, requests)
        async with AsyncExitStack() as stack:
            for layer in self._layers:
                await stack.enter_async_context(layer(call))
            yield

    def _surround(self, handler: Handler, details: Details) -> Handler:
        read, write = read_any(handler.request_deserializer), handler.response_serializer
        if handler.request_streaming and handler.response_streaming:
            run = self._answer_many(details, handler.stream_stream, check_each)
            return grpc.stream_stream_rpc_method_handler(run, read, write)
        if handler.response_streaming:
            run = self._answer_many(details, handler.unary_stream, validate_request)
            return grpc.unary_stream_rpc_method_handler(run, read, write)
        if handler.request_streaming:
            run = self._answer_once(details, handler.stream_unary, check_each)
            return grpc.stream_unary_rpc_method_handler(run, read, write)
        run = self._answer_once(details, handler.unary_unary, validate_request)
        return grpc.unary_unary_rpc_method_handler(run, read, write)

    def _answer_once(self, details: Details, handle: Any, check: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        async def answer(request: Any, context: ServicerContext) -> Any:  # noqa: ANN401 - any message type
            async with self._enter(details, context, request):
                return await handle(check(request), context)

        return answer

    def _answer_many(self, details: Details, handle: Any, check: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        # A coroutine that writes, not a generator: cancelling it closes the handler's generator in the same
        # task, where a generator that nobody iterates any more would wait for the garbage collector.
        async def answer(request: Any, context: ServicerContext) -> None:  # noqa: ANN401 - any message type
            async with self._enter(details, context, request):
                answering = handle(check(request), context)
                # The other shape that grpc.aio knows, a coroutine that writes by itself: its Health.Watch is one.
                if isinstance(answering, Awaitable):
                    await answering
                    return
                async with aclosing(answering) as messages:
                    async for message in messages:
                        await context.write(message)

        return answer


async def check_each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yields request messages that keep their rules. Raises InvalidField at the first that does not."""
    async for request in requests:
        yield validate_request(request)


def find_request_id(metadata: Sequence[tuple[str, str | bytes]]) -> str:
    """Returns the gateway's request id, or a new one."""
    sent = [value for key, value in metadata if key == REQUEST_ID and isinstance(value, str)]
    return sent[0] if sent and len(sent[0]) <= 64 else str(uuid.uuid4())
