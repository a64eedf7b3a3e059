"""/health and /status: who is told what, and what that costs."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest

from docuchat.common.v1 import status_service_pb2 as pb
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceStub, add_StatusServiceServicer_to_server
from servicekit.errors import DependencyUnavailable
from servicekit.identity import Role
from servicekit.rpc.client import open_channel
from servicekit.rpc.status import read_error
from servicekit.rpc.status_service import Finding, StatusServicer


class Check:
    def __init__(self, found="18.4"):
        self.found = found
        self.rounds = 0

    async def __call__(self):
        self.rounds += 1
        await asyncio.sleep(0.05)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def serve(rpc, tokens):
    @asynccontextmanager
    async def serve(name, check, peers=None, **more):
        servicer = StatusServicer(name, "1.2", {"postgresql": check}, peers or {}, verifier=tokens.verifier, **more)
        add = lambda server: add_StatusServiceServicer_to_server(servicer, server)  # noqa: E731
        async with rpc.serve(name=name, add_servicers=add) as address:
            yield address, servicer

    return serve


@asynccontextmanager
async def asking(address, token=""):
    async def identity():
        return token

    async with open_channel(address, identity=identity) as channel:
        yield StatusServiceStub(channel)


async def read_rows(stub):
    answer = await stub.GetStatus(pb.GetStatusRequest())
    return {(row.service, row.dependency): row for row in answer.components}


async def test_a_hundred_anonymous_callers_at_once_cause_one_round_of_checks(serve, monkeypatch):
    monkeypatch.setattr("servicekit.rpc.status_service.RECENT_SECONDS", 60.0)  # however slow the machine
    own, peers = Check(), Check()
    async with (
        serve("auth", peers) as (peer, _),
        open_channel(peer) as channel,
        serve("chat", own, {"auth": channel}) as (address, _),
        asking(address) as stub,
    ):
        health = [stub.GetHealth(pb.GetHealthRequest()) for _ in range(50)]
        status = [stub.GetStatus(pb.GetStatusRequest()) for _ in range(50)]
        await asyncio.gather(*health, *status)
    assert (own.rounds, peers.rounds) == (1, 1)


async def test_a_caller_who_gives_up_does_not_end_the_round_for_the_others(serve):
    async with serve("chat", Check()) as (address, _), asking(address) as stub:
        impatient = stub.GetHealth(pb.GetHealthRequest(), timeout=0.01)
        patient = stub.GetHealth(pb.GetHealthRequest())
        with pytest.raises(grpc.aio.AioRpcError):
            await impatient
        assert (await patient).status == pb.SERVING


@pytest.mark.parametrize(("role", "shown"), [(None, ""), (Role.OWNER, ""), ("bad", ""), (Role.STAFF, "1.2")])
async def test_versions_are_for_staff(serve, tokens, role, shown):
    token = {None: "", "bad": "a.b.c"}.get(role) if role in {None, "bad"} else tokens.issue(role=role)
    async with (
        serve("auth", Check()) as (peer, _),
        open_channel(peer) as channel,
        serve("chat", Check(), {"auth": channel}) as (address, _),
        asking(address, token) as stub,
    ):
        rows = await read_rows(stub)
    assert {rows["chat", ""].version, rows["auth", ""].version} == {shown}
    assert rows["auth", "postgresql"].version == (shown and "18.4")
    assert {row.state for row in rows.values()} == {pb.SERVING}


async def test_what_staff_asked_for_is_not_kept_for_the_others(serve, tokens):
    async with serve("chat", Check()) as (address, _):
        async with asking(address, tokens.issue(role=Role.STAFF)) as staff:
            assert (await read_rows(staff))["chat", ""].version == "1.2"
        async with asking(address) as anyone:
            assert (await read_rows(anyone))["chat", ""].version == ""


async def test_a_worker_that_stands_still_is_told_with_the_age_of_its_oldest_job_and_calls_go_on(serve):
    worker = Check(Finding(is_serving=False, oldest_due_job_seconds=90))
    async with (
        serve("ingestion", Check(), companions={"worker": worker}) as (peer, servicer),
        open_channel(peer) as channel,
        serve("chat", Check(), {"ingestion": channel}) as (address, _),
        asking(address) as stub,
    ):
        await servicer.require_health()
        row = (await read_rows(stub))["ingestion", "worker"]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetHealth(pb.GetHealthRequest())
    assert (row.state, row.oldest_due_job_seconds) == (pb.NOT_SERVING, 90)
    assert read_error(caught.value).metadata["dependency"] == "worker"


async def test_a_service_that_cannot_work_or_is_leaving_says_so(serve):
    check = Check(DependencyUnavailable("postgresql"))
    async with serve("chat", check) as (address, servicer), asking(address) as stub:
        with pytest.raises(DependencyUnavailable):
            await servicer.require_health()
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetHealth(pb.GetHealthRequest())
    async with serve("chat", Check()) as (address, servicer), asking(address) as stub:
        servicer.leave()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetHealth(pb.GetHealthRequest())
    assert read_error(caught.value).metadata["dependency"] == "chat"
