import asyncio
from pathlib import Path

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2
from grpc._cython import cygrpc

from docuchat.chat.v1 import chat_service_pb2, conversation_service_pb2
from docuchat.chat.v1.chat_service_pb2_grpc import (
    ChatServiceStub,
)
from docuchat.chat.v1.conversation_service_pb2_grpc import (
    ConversationServiceStub,
)
from docuchat.ingestion.v1 import document_service_pb2
from docuchat.ingestion.v1.document_service_pb2_grpc import (
    DocumentServiceStub,
)
from docuchat.retrieval.v1 import index_service_pb2
from docuchat.retrieval.v1.index_service_pb2_grpc import (
    IndexServiceStub,
)
from servicekit.errors import AppError, Code, DependencyUnavailable
from servicekit.identity import Role
from servicekit.rpc.client import CHANNEL_OPTIONS, open_channel
from servicekit.rpc.deadline import cap_timeout
from servicekit.rpc.server import SERVER_OPTIONS, build_server
from servicekit.rpc.status import read_error

from .toy_service import UUID, Toy, adder, fail_to_list, read_status


@pytest.fixture
def toy():
    return Toy()


async def test_a_call_without_a_token_never_reaches_the_handler(rpc, toy):
    async with rpc(name="chat", add_servicers=adder(toy)) as channel:
        error = await fail_to_list(channel)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert read_error(error).reason == "TOKEN_MISSING"
    assert toy.calls == 0


async def test_a_valid_token_becomes_the_principal(rpc, tokens, toy):
    token = tokens.issue(user_id=UUID)
    async with rpc(name="chat", add_servicers=adder(toy), token=token) as channel:
        answer = await ConversationServiceStub(channel).ListConversations(
            conversation_service_pb2.ListConversationsRequest()
        )
    assert answer.next_page_token == UUID


async def test_two_authorization_values_are_refused(rpc, tokens, toy):
    token = tokens.issue()
    async with rpc(name="chat", add_servicers=adder(toy), token=token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ConversationServiceStub(channel).ListConversations(
                conversation_service_pb2.ListConversationsRequest(), metadata=(("authorization", f"Bearer {token}"),)
            )
    assert read_error(caught.value).reason == "TOKEN_INVALID"


@pytest.mark.parametrize("value", ["{token}", "Basic {token}", "Token {token}", "Bearer"])
async def test_a_token_without_its_scheme_is_answered_with_what_to_put_before_it(rpc, tokens, toy, value):
    async with rpc(name="chat", add_servicers=adder(toy)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ConversationServiceStub(channel).ListConversations(
                conversation_service_pb2.ListConversationsRequest(),
                metadata=(("authorization", value.format(token=tokens.issue())),),
            )
    assert read_error(caught.value).reason == "TOKEN_INVALID"
    assert "put Bearer before it" in caught.value.details()


@pytest.mark.parametrize(
    ("token", "challenge"),
    [(None, 'Bearer realm="docuchat"'), ("a.b.c", 'Bearer realm="docuchat", error="invalid_token"')],
)
async def test_a_call_that_is_not_authenticated_is_told_how_to_be(rpc, toy, token, challenge):
    async with rpc(name="chat", add_servicers=adder(toy), token=token) as channel:
        error = await fail_to_list(channel)
    assert dict(error.trailing_metadata())["www-authenticate"] == challenge


async def test_other_errors_ask_for_no_credentials(rpc, tokens, toy):
    toy.fail = DependencyUnavailable("qdrant")
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        error = await fail_to_list(channel)
    assert "www-authenticate" not in dict(error.trailing_metadata())


async def test_a_service_may_call_only_what_names_it(rpc, tokens, toy):
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue_service("chat")) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await IndexServiceStub(channel).IndexChunks(iter([])).read()
    assert read_error(caught.value).reason == "ACCESS_DENIED"


async def test_a_person_may_not_call_a_service_method_nor_a_service_a_personal_one(rpc, tokens, toy):
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue(role=Role.OWNER)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await IndexServiceStub(channel).IndexChunks(iter([])).read()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue_service("ingestion")) as channel:
        error = await fail_to_list(channel)
    assert read_error(error).reason == "ACCESS_DENIED"


async def test_an_error_becomes_a_status_with_exactly_one_error_info(rpc, tokens, toy):
    toy.fail = AppError(Code.NOT_FOUND, "CONVERSATION_NOT_FOUND", "None.", metadata={"a": "b"}, retry_after_seconds=1.5)
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        error = await fail_to_list(channel)
    status = read_status(error)
    infos = [error_details_pb2.ErrorInfo() for _ in status.details]
    found = [info for info, detail in zip(infos, status.details, strict=True) if detail.Unpack(info)]
    assert (error.code(), error.details(), status.code) == (grpc.StatusCode.NOT_FOUND, "None.", 5)
    assert [(info.reason, info.domain, info.metadata["a"]) for info in found] == [
        ("CONVERSATION_NOT_FOUND", "chat.docuchat", "b")
    ]
    again = read_error(error)
    assert (again.code, again.reason, again.retry_after_seconds) == (Code.NOT_FOUND, "CONVERSATION_NOT_FOUND", 1.5)


async def test_an_unforeseen_exception_tells_the_caller_nothing(rpc, tokens, toy, capsys):
    toy.fail = ValueError("secret-database-host")
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        error = await fail_to_list(channel)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(read_status(error))


async def test_a_field_out_of_bounds_is_named_with_its_rule(rpc, tokens, toy):
    request = conversation_service_pb2.ListConversationsRequest(page_size=101)
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        error = await fail_to_list(channel, request)
    violations = error_details_pb2.BadRequest()
    assert any(detail.Unpack(violations) for detail in read_status(error).details)
    assert violations.field_violations[0].field == "page_size"
    assert (read_error(error).reason, toy.calls) == ("INVALID_FIELD", 0)


NO_MESSAGES = {"garbage": b"\xff\xff\xff", "text that is not UTF-8": b"\x12\x01\xff"}


@pytest.mark.parametrize("raw", NO_MESSAGES.values(), ids=NO_MESSAGES)
@pytest.mark.parametrize(
    ("method", "shape"),
    [
        ("docuchat.chat.v1.ConversationService/ListConversations", "unary_unary"),
        ("docuchat.chat.v1.ChatService/Ask", "unary_stream"),
        ("docuchat.ingestion.v1.DocumentService/UploadDocuments", "stream_unary"),
    ],
)
async def test_bytes_that_are_no_message_are_refused_like_any_bad_field(rpc, tokens, toy, method, shape, raw):
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        call = getattr(channel, shape)(f"/{method}", request_serializer=bytes, response_deserializer=bytes)
        answer = call(iter([raw]) if shape == "stream_unary" else raw)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (answer.read() if shape == "unary_stream" else answer)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert read_error(caught.value).reason == "INVALID_FIELD"
    assert "UTF-8" in caught.value.details()


async def test_bytes_that_are_no_message_need_a_token_first(rpc, toy):
    async with rpc(name="chat", add_servicers=adder(toy)) as channel:
        method = "/docuchat.chat.v1.ConversationService/ListConversations"
        call = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff")
    assert read_error(caught.value).reason == "TOKEN_MISSING"


async def test_headers_as_large_as_the_gateway_takes_are_read_and_judged(rpc, toy):
    async with rpc(name="chat", add_servicers=adder(toy), token="a" * 30_000) as channel:
        error = await fail_to_list(channel)
    assert read_error(error).reason == "TOKEN_INVALID"


async def test_a_repeated_field_names_the_element(rpc, tokens, toy):
    request = chat_service_pb2.AskRequest(question="a", document_ids=[UUID, "x"])
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ChatServiceStub(channel).Ask(request).read()
    assert "document_ids[1]" in caught.value.details()


async def test_all_four_shapes_pass_the_layers(rpc, tokens, toy):
    frames = [document_service_pb2.UploadDocumentsRequest(filename="a")] * 3
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        uploaded = await DocumentServiceStub(channel).UploadDocuments(iter(frames))
        events = [event async for event in ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="a"))]
    header = index_service_pb2.IndexHeader(tenant_id=UUID, document_id=UUID, version_id=UUID, collection_id=UUID)
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue_service("ingestion")) as channel:
        parts = [index_service_pb2.IndexChunksRequest(header=header)] * 2
        counts = [answer.indexed_count async for answer in IndexServiceStub(channel).IndexChunks(iter(parts))]
    assert (uploaded.documents[0].size_bytes, len(events), counts) == (3, 1, [1, 2])


async def test_an_invalid_frame_in_the_middle_of_a_stream_is_refused(rpc, tokens, toy):
    frames = [
        document_service_pb2.UploadDocumentsRequest(),
        document_service_pb2.UploadDocumentsRequest(collection_id="x"),
    ]
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await DocumentServiceStub(channel).UploadDocuments(iter(frames))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_client_that_is_refused_while_it_sends_learns_why(rpc, tokens, toy):
    async def frames():
        yield document_service_pb2.UploadDocumentsRequest(collection_id="x")
        for _ in range(200):
            yield document_service_pb2.UploadDocumentsRequest(file={"data": b"x" * 65536})

    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        for _ in range(10):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await DocumentServiceStub(channel).UploadDocuments(frames())
            assert read_error(caught.value).reason == "INVALID_FIELD"


async def hesitate():
    yield document_service_pb2.UploadDocumentsRequest()
    await asyncio.Event().wait()


async def test_a_client_stream_that_breaks_off_is_never_taken_for_a_whole_one(rpc, tokens, toy):
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        with structlog.testing.capture_logs() as lines:
            for _ in range(50):
                toy.begun.clear()
                call = DocumentServiceStub(channel).UploadDocuments(hesitate())
                await toy.begun.wait()
                call.cancel()
            await DocumentServiceStub(channel).UploadDocuments(
                iter([document_service_pb2.UploadDocumentsRequest()] * 2)
            )
    assert toy.whole == [2]
    assert [line["code"] for line in lines if line["event"] == "call"].count("OK") == 1


async def read_logged_codes(lines):
    """A cancelled call is recorded a few turns of the loop after its client or server has let go of it."""
    async with asyncio.timeout(5):
        while not (codes := [line["code"] for line in lines if line["event"] == "call"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return codes


async def test_a_handler_is_closed_at_once_when_the_client_goes(rpc, tokens, toy):
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        call = ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="endless"))
        await call.read()
        with structlog.testing.capture_logs() as lines:
            call.cancel()
            await asyncio.wait_for(toy.closed.wait(), 1)
            assert await read_logged_codes(lines) == ["CANCELLED"]


async def test_a_stream_that_a_stop_cuts_off_is_recorded_as_cancelled(rpc, tokens, toy):
    async def identity():
        return tokens.issue()

    with structlog.testing.capture_logs() as lines:
        async with rpc.serve(name="chat", add_servicers=adder(toy)) as address:
            channel = open_channel(address, identity=identity)
            call = ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="endless"))
            await call.read()
        assert await read_logged_codes(lines) == ["CANCELLED"]
        await channel.close()


async def test_a_call_beyond_the_limit_is_refused_with_when_to_come_back(tokens, toy):
    server = build_server(name="chat", verifier=tokens.verifier, max_concurrent_rpcs=2)
    adder(toy)(server.grpc)
    token = tokens.issue()

    async def identity():
        return token

    async with open_channel(await server.start("127.0.0.1:0"), identity=identity) as channel:
        request = chat_service_pb2.AskRequest(question="endless")
        running = [ChatServiceStub(channel).Ask(request) for _ in range(2)]
        for call in running:
            await call.read()
        error = read_error(await fail_to_list(channel))
        running[0].cancel()
        await asyncio.wait_for(toy.closed.wait(), 1)
        await ConversationServiceStub(channel).ListConversations(conversation_service_pb2.ListConversationsRequest())
        running[1].cancel()
    await server.stop(0)
    assert (error.code, error.reason, error.retry_after_seconds) == (Code.RESOURCE_EXHAUSTED, "OVERLOADED", 1)


async def test_an_error_after_the_first_message_ends_the_stream_with_its_status(rpc, tokens, toy):
    toy.fail = DependencyUnavailable("qdrant")
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        call = ChatServiceStub(channel).Ask(chat_service_pb2.AskRequest(question="a"))
        first = await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert first.sequence == 1
    assert read_error(caught.value).metadata["dependency"] == "qdrant"


async def test_the_time_left_of_a_call_caps_what_it_calls(rpc, tokens, toy):
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        await ConversationServiceStub(channel).ListConversations(
            conversation_service_pb2.ListConversationsRequest(), timeout=3
        )
    assert 0 < toy.left <= 3.1


def test_a_timeout_outside_of_calls_is_kept():
    assert cap_timeout(7) == 7


@pytest.mark.parametrize("option", [name for name, _ in (*SERVER_OPTIONS, *CHANNEL_OPTIONS)])
def test_every_option_is_one_that_grpc_knows(option):
    # gRPC takes any name and says nothing of one that it does not read.
    assert option.encode() in Path(cygrpc.__file__).read_bytes()
