import json
import time

import grpc
import pytest

from docuchat.chat.v1.conversation_service_pb2 import ListConversationsRequest
from docuchat.chat.v1.conversation_service_pb2_grpc import ConversationServiceStub
from docuchat.common.v1 import access_pb2
from docuchat.common.v1 import status_service_pb2 as status_pb
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceStub, add_StatusServiceServicer_to_server
from servicekit.errors import Code, DependencyUnavailable
from servicekit.identity import Role, Scope
from servicekit.rpc.access import (
    MethodWithoutAccess,
    MethodWithoutCallers,
    MethodWithoutScope,
    SessionRequired,
    authenticate,
    require_access_options,
)
from servicekit.rpc.call import Call
from servicekit.rpc.client import ServiceIdentity, open_channel
from servicekit.rpc.status import read_error
from servicekit.rpc.status_service import StatusServicer

from .toy_service import Toy, adder, fail_to_list


@pytest.fixture
def toy():
    return Toy()


async def test_health_needs_every_dependency_and_peer(rpc, tokens):
    async def answer():
        return "18.4"

    async def fail():
        raise DependencyUnavailable("postgresql")

    def serve(name, check, peers):
        def add(server):
            add_StatusServiceServicer_to_server(StatusServicer(name, "1", {"postgresql": check}, peers), server)

        return rpc.serve(name=name, add_servicers=add)

    async with serve("auth", fail, {}) as sick, serve("retrieval", answer, {}) as well:
        peers = {"auth": open_channel(sick), "retrieval": open_channel(well), "ingestion": open_channel("127.0.0.1:9")}
        async with serve("chat", answer, peers) as front, open_channel(front) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await StatusServiceStub(channel).GetHealth(status_pb.GetHealthRequest())
            answer = await StatusServiceStub(channel).GetStatus(status_pb.GetStatusRequest())
        for peer in peers.values():
            await peer.close()
    states = {(row.service, row.dependency): row.state for row in answer.components}
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert states == {
        ("chat", ""): 1,
        ("chat", "postgresql"): 1,
        ("auth", ""): 1,
        ("auth", "postgresql"): 2,
        ("retrieval", ""): 1,
        ("retrieval", "postgresql"): 1,
        ("ingestion", ""): 2,
    }


@pytest.mark.parametrize(
    ("service", "error"),
    [
        ("Unannotated", MethodWithoutAccess),
        ("OpenToAnyService", MethodWithoutCallers),
        ("OpenToAnyKey", MethodWithoutScope),
        ("ForAdminsWithAnyKey", MethodWithoutScope),
        ("ForKeysAndForNone", MethodWithoutScope),
    ],
)
def test_a_method_that_does_not_say_who_may_call_it_stops_the_server(service, error):
    with pytest.raises(error, match=service):
        require_access_options([f"/test.{service}/Call"])


async def test_what_only_people_may_do_is_open_to_no_key(tokens):
    require_access_options(["/test.ForPeople/Call"])
    for token in (tokens.issue_key(*Scope, role=Role.OWNER), tokens.issue()):
        call = Call("/test.ForPeople/Call", "r", (("authorization", f"Bearer {token}"),), None)
        if (await tokens.verifier.verify(token)).api_key_id:
            with pytest.raises(SessionRequired):
                await authenticate(call, tokens.verifier)
        else:
            await authenticate(call, tokens.verifier)


@pytest.fixture(autouse=True)
def half_annotated_services():
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="test_unannotated.proto", package="test", syntax="proto3")
    file.message_type.add(name="Empty")
    options = {
        "Unannotated": access_pb2.ACCESS_UNSPECIFIED,
        "OpenToAnyService": access_pb2.ACCESS_SERVICE,
        "OpenToAnyKey": access_pb2.ACCESS_USER,
        "ForAdminsWithAnyKey": access_pb2.ACCESS_TENANT_ADMIN,
        "ForPeople": access_pb2.ACCESS_USER,
        "ForKeysAndForNone": access_pb2.ACCESS_USER,
    }
    for name, access in options.items():
        method = file.service.add(name=name).method.add(name="Call")
        method.input_type = method.output_type = ".test.Empty"
        method.options.Extensions[access_pb2.access] = access
        method.options.Extensions[access_pb2.session_only] = name in {"ForPeople", "ForKeysAndForNone"}
    method.options.Extensions[access_pb2.scope].append(access_pb2.READ)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


async def test_a_service_token_is_kept_until_shortly_before_its_end(rpc, tokens):
    from docuchat.auth.v1 import auth_service_pb2
    from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server

    class Auth(AuthServiceServicer):
        issued = 0

        async def IssueServiceToken(self, request, context):
            self.issued += 1
            return auth_service_pb2.IssueServiceTokenResponse(access_token=f"t{self.issued}", expires_in_seconds=3600)

    auth, now = Auth(), [0.0]
    async with rpc(name="auth", add_servicers=lambda s: add_AuthServiceServicer_to_server(auth, s)) as channel:
        identity = ServiceIdentity(channel, "ingestion", "secret", clock=lambda: now[0])
        first, second = await identity(), await identity()
        now[0] = 3500
        third = await identity()
    assert (first, second, third) == ("t1", "t1", "t2")


async def test_reflection_and_health_need_no_token(rpc, toy):
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    async with rpc(name="chat", add_servicers=adder(toy)) as channel:
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        names = {service.name for service in (await call.read()).list_services_response.service}
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert "docuchat.chat.v1.ChatService" in names


def test_the_retry_policy_is_valid_json():
    from servicekit.rpc.client import CHANNEL_OPTIONS

    assert json.loads(dict(CHANNEL_OPTIONS)["grpc.service_config"])["methodConfig"]


async def test_a_peer_that_is_down_is_reported_as_unavailable_within_the_deadline(tokens):
    started = time.monotonic()
    async with open_channel("127.0.0.1:9", timeout_seconds=0.5) as channel:
        error = await fail_to_list(channel)
    assert read_error(error).reason == "DEPENDENCY_UNAVAILABLE"
    assert time.monotonic() - started < 10


async def test_a_peer_that_hangs_is_as_unavailable_as_one_that_is_down(rpc, tokens, toy):
    toy.pause = 30
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ConversationServiceStub(channel).ListConversations(ListConversationsRequest(), timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (read_error(caught.value).code, read_error(caught.value).reason) == (
        Code.UNAVAILABLE,
        "DEPENDENCY_UNAVAILABLE",
    )


async def test_a_peer_whose_own_time_ran_out_is_unavailable_too(rpc, tokens, toy):
    toy.fail = TimeoutError()
    async with rpc(name="chat", add_servicers=adder(toy), token=tokens.issue()) as channel:
        error = read_error(await fail_to_list(channel))
    assert (error.code, error.reason) == (Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


@pytest.mark.parametrize(("retries", "calls"), [(True, 3), (False, 1)])
async def test_a_channel_retries_only_where_nobody_above_does(rpc, tokens, toy, retries, calls):
    toy.fail = DependencyUnavailable("postgresql")

    async def identity():
        return tokens.issue()

    async with (
        rpc.serve(name="chat", add_servicers=adder(toy)) as address,
        open_channel(address, identity=identity, retries=retries) as channel,
    ):
        await fail_to_list(channel)
    assert toy.calls == calls
