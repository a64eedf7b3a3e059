"""The real commands as processes: migrate, serve and worker, with auth and retrieval stood in for."""

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager

import jwt.algorithms
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody
from google.protobuf import json_format

from docuchat.auth.v1 import auth_service_pb2 as auth_pb
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from docuchat.chat.v1 import source_service_pb2 as chat_pb
from docuchat.chat.v1.source_service_pb2_grpc import SourceServiceServicer, add_SourceServiceServicer_to_server
from docuchat.common.v1.status_service_pb2 import NOT_SERVING, SERVING, GetStatusRequest
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceStub
from docuchat.ingestion.v1 import document_service_pb2 as pb
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceStub
from docuchat.retrieval.v1 import index_service_pb2 as index_pb
from docuchat.retrieval.v1.index_service_pb2_grpc import IndexServiceServicer, add_IndexServiceServicer_to_server
from ingestion.__main__ import COMMANDS
from ingestion.worker import clear_scratch
from servicekit.identity import current_principal
from servicekit.program import run_program
from servicekit.rpc.client import open_channel

MARKDOWN = ("# Trees\n\n" + "A trace tree grows where a loop is hot. " * 40 + "\n\n## Leaves\n\nThe end.\n").encode()


class FakeAuth(AuthServiceServicer):
    """Issues the test's service token to whoever knows the secret, and publishes the test's key."""

    def __init__(self, tokens, jwks):
        self._tokens = tokens
        self._jwks = jwks

    async def IssueServiceToken(self, request, context):
        assert request.service_secret == "the secret"
        token = self._tokens.issue_service(request.service_name)
        return auth_pb.IssueServiceTokenResponse(access_token=token, expires_in_seconds=900)

    async def GetJwks(self, request, context):
        return HttpBody(data=self._jwks)

    async def WatchRevocations(self, request, context):
        yield auth_pb.WatchRevocationsResponse(caught_up=True)
        await asyncio.Event().wait()


class FakeRetrieval(IndexServiceServicer):
    """Remembers chunks by version; `pace` is how long it takes over a batch."""

    def __init__(self):
        self.points = {}
        self.active = {}
        self.callers = set()
        self.pace = 0.0
        self.began = asyncio.Event()

    async def IndexChunks(self, request_iterator, context):
        self.callers.add(current_principal().subject)
        count, version_id = 0, ""
        async for request in request_iterator:
            if request.HasField("header"):
                version_id = request.header.version_id
                continue
            self.began.set()
            await asyncio.sleep(self.pace)
            for chunk in request.batch.chunks:
                self.points.setdefault(version_id, {})[chunk.chunk_index] = chunk.text
            count += len(request.batch.chunks)
            yield index_pb.IndexChunksResponse(indexed_count=count)

    async def ActivateVersion(self, request, context):
        assert len(self.points[request.version_id]) == request.chunk_count
        self.active[request.document_id] = request.version_id
        return index_pb.ActivateVersionResponse()

    async def HideDocument(self, request, context):
        return index_pb.HideDocumentResponse()

    async def DeleteDocument(self, request, context):
        return index_pb.DeleteDocumentResponse()


class FakeChat(SourceServiceServicer):
    """Remembers whose quotes it was asked to erase."""

    def __init__(self):
        self.erased = asyncio.Queue()

    async def EraseQuotes(self, request, context):
        self.erased.put_nowait((current_principal().subject, request.document_id))
        return chat_pb.EraseQuotesResponse()


class Processes:
    """Starts the service's commands against one database, object store, auth and retrieval."""

    def __init__(self, environment, address, retrieval, chat, tokens):
        self.environment = environment
        self.address = address
        self.retrieval = retrieval
        self.chat = chat
        self.tokens = tokens

    @asynccontextmanager
    async def run(self, name, **changes):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ingestion", name, env={**self.environment, **changes}
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @asynccontextmanager
    async def client(self):
        token = self.tokens.issue()

        async def identity():
            return token

        async with open_channel(self.address, identity=identity) as channel:
            yield DocumentServiceStub(channel)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def publish(tokens):
    """The JWKS of the test's key."""
    key = tokens._key.public_key()
    document = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key))
    return json.dumps({"keys": [{**document, "kid": "test-key", "alg": "EdDSA", "use": "sig"}]}).encode()


@pytest_asyncio.fixture
async def processes(service_database, tokens, rpc, tmp_path):
    found = await service_database("ingestion")
    retrieval, chat = FakeRetrieval(), FakeChat()
    address = f"127.0.0.1:{free_port()}"
    auth = FakeAuth(tokens, publish(tokens))
    async with (
        rpc.serve(name="auth", add_servicers=lambda server: add_AuthServiceServicer_to_server(auth, server)) as one,
        rpc.serve(
            name="retrieval", add_servicers=lambda server: add_IndexServiceServicer_to_server(retrieval, server)
        ) as two,
        rpc.serve(name="chat", add_servicers=lambda server: add_SourceServiceServicer_to_server(chat, server)) as three,
    ):
        environment = {
            **os.environ,
            "DOCUCHAT_LISTEN": address,
            "DOCUCHAT_DATABASE_URL": found.url,
            "DOCUCHAT_OWNER_DATABASE_URL": found.owner_url,
            "DOCUCHAT_AUTH_TARGET": one,
            "DOCUCHAT_RETRIEVAL_TARGET": two,
            "DOCUCHAT_CHAT_TARGET": three,
            "DOCUCHAT_SERVICE_SECRET": "the secret",
            "DOCUCHAT_OBJECT_STORE_URL": f"file://{tmp_path}/objects",
            "DOCUCHAT_DATA_DIR": f"{tmp_path}/data",
            "DOCUCHAT_LEASE_SECONDS": "60",
            "DOCUCHAT_HEARTBEAT_SECONDS": "0.3",
            "DOCUCHAT_WORKER_GRACE_SECONDS": "0.2",
        }
        yield Processes(environment, address, retrieval, chat, tokens)


async def upload(client, data, filename):
    async def requests():
        yield pb.UploadDocumentsRequest(filename=filename, file=HttpBody(data=data))

    answer = await client.UploadDocuments(requests(), wait_for_ready=True, timeout=60)
    return answer.documents[0].document_id


async def wait_until_ready(client, document_id):
    async with asyncio.timeout(60):
        while True:
            document = (await client.GetDocument(pb.GetDocumentRequest(document_id=document_id))).document
            if document.process_time.seconds:
                return json_format.MessageToDict(document, preserving_proto_field_name=True)
            await asyncio.sleep(0.05)


async def stop(process):
    process.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(process.wait(), 60)


async def test_a_document_goes_all_the_way_through_killed_and_stopped_workers(processes, tmp_path):
    retrieval = processes.retrieval
    async with processes.run("migrate") as migrating:
        assert await migrating.wait() == 0
    async with processes.run("serve") as server, processes.client() as client:
        retrieval.pace = 60
        document_id = await upload(client, MARKDOWN, "trees.md")
        async with processes.run("worker") as worker:
            await asyncio.wait_for(retrieval.began.wait(), 60)
            worker.kill()  # no lease is given back: the next worker finds the lock of this one free
            await worker.wait()
        retrieval.began.clear()
        async with processes.run("worker") as worker:
            await asyncio.wait_for(retrieval.began.wait(), 60)
            assert await stop(worker) == 0  # its job is put back
        retrieval.pace = 0.0
        async with processes.run("worker") as worker:
            document = await wait_until_ready(client, document_id)
            assert (tmp_path / "data/worker.heartbeat").exists()
            assert await stop(worker) == 0
        assert await stop(server) == 0
    assert (document["state"], document["title"], document["language"]) == ("READY", "Trees", "en")
    assert len(retrieval.points[document["version_id"]]) == document["chunk_count"]
    assert retrieval.active == {document_id: document["version_id"]}
    assert retrieval.callers == {"ingestion"}
    assert list((tmp_path / "data/scratch").iterdir()) == []
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()] == ["raw"]


async def test_a_delete_is_done_with_its_quotes_while_a_document_holds_every_other_lane(processes, tmp_path):
    async with processes.run("serve"), processes.client() as client:
        deleted = await upload(client, MARKDOWN, "old.md")
        async with processes.run("worker", DOCUCHAT_WORKER_CONCURRENCY="1"):
            await wait_until_ready(client, deleted)
            processes.retrieval.began.clear()
            processes.retrieval.pace = 60
            await upload(client, MARKDOWN, "long.md")
            await asyncio.wait_for(processes.retrieval.began.wait(), 60)
            await client.DeleteDocument(pb.DeleteDocumentRequest(document_id=deleted))
            erased = await asyncio.wait_for(processes.chat.erased.get(), 60)
    assert erased == ("ingestion", deleted)


async def test_status_tells_of_a_worker_that_is_silent_and_of_one_that_has_ended(processes, tmp_path):
    async with processes.run("serve"), open_channel(processes.address) as channel:
        status = StatusServiceStub(channel)
        await status.GetStatus(GetStatusRequest(), wait_for_ready=True, timeout=60)
        async with processes.run("worker") as worker:
            await wait_for_worker(status, SERVING)
            assert (tmp_path / "data/worker.heartbeat").read_text().strip() == str(worker.pid)
            worker.send_signal(signal.SIGSTOP)
            await wait_for_worker(status, NOT_SERVING)
            worker.send_signal(signal.SIGCONT)
            await wait_for_worker(status, SERVING)
            assert await stop(worker) == 0
        await wait_for_worker(status, NOT_SERVING)


async def wait_for_worker(status, state, seconds=30):
    async with asyncio.timeout(seconds):
        while True:
            components = (await status.GetStatus(GetStatusRequest())).components
            if [row.state for row in components if row.dependency == "worker"] == [state]:
                return
            await asyncio.sleep(0.05)


def test_the_command_line_names_what_it_knows(capsys):
    assert run_program("ingestion", COMMANDS, ["dance"]) == 2
    assert "serve | worker | migrate" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "worker", "check-settings"])
def test_without_its_secret_no_process_starts(monkeypatch, capsys, command):
    monkeypatch.setenv("DOCUCHAT_DATABASE_URL", "postgresql+asyncpg://x@127.0.0.1:9/x")
    monkeypatch.delenv("DOCUCHAT_SERVICE_SECRET", raising=False)
    assert run_program("ingestion", COMMANDS, [command]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "DOCUCHAT_SERVICE_SECRET is not set" in sentence


def test_a_new_worker_clears_what_a_killed_one_left_an_hour_ago(tmp_path):
    old, fresh = tmp_path / "scratch/job-old", tmp_path / "scratch/job-new"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / "document").touch()
    os.utime(old, (0, 0))
    clear_scratch(tmp_path / "scratch")
    assert (old.exists(), fresh.exists()) == (False, True)
