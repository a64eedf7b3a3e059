"""Fakes of the ports, a few lines each, and the real service on a real database and an object store in memory."""

import random
import subprocess
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg
import obstore.store
import pytest
import pytest_asyncio
import structlog
import structlog.testing
from google.api.httpbody_pb2 import HttpBody

from docuchat.ingestion.v1 import document_service_pb2 as pb
from docuchat.ingestion.v1.collection_service_pb2_grpc import CollectionServiceStub
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceStub
from ingestion.config import Settings
from ingestion.model import Condition
from ingestion.pipeline.chunk import cut_text
from ingestion.pipeline.delete import DocumentRemover
from ingestion.pipeline.lease import LeaseTimes
from ingestion.pipeline.process import DocumentProcessor
from ingestion.pipeline.retry import JobPolicy
from ingestion.pipeline.run_jobs import JobRunner
from ingestion.server import add_servicers
from ingestion.stores.jobs import PostgresJobQueue
from ingestion.stores.objects import ObstoreObjectStore
from ingestion.stores.work import PostgresWorkStore
from ingestion.text import ParsedDocument
from servicekit.errors import AppError, Code
from servicekit.identity import Role
from servicekit.metering.model import TenantLimits
from servicekit.rpc.client import open_channel


@dataclass
class FakeIndex:
    """A PassageIndex that keeps chunk counts; `failures` are raised one a call, None lets a call pass."""

    points: dict = field(default_factory=dict)
    active: dict = field(default_factory=dict)
    hidden: list = field(default_factory=list)
    deleted: list = field(default_factory=list)
    conditions: dict = field(default_factory=dict)
    sent: list = field(default_factory=list)
    versions: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    before_confirm: Callable | None = None

    def _fail(self):
        error = self.failures.pop(0) if self.failures else None
        if error is not None:
            raise error

    async def index(self, version, chunked):
        self.versions.append(version)
        for number in range(chunked.indexed_count, len(chunked.chunks)):
            self._fail()
            self.sent.append(number)
            if self.before_confirm is not None:
                await self.before_confirm(number)
            self.points.setdefault(version.version_id, set()).add(number)
            yield number + 1

    async def activate(self, version, chunk_count):
        self._fail()
        if len(self.points.get(version.version_id, ())) != chunk_count:
            raise AppError(Code.FAILED_PRECONDITION, "VERSION_INCOMPLETE", "points are missing")
        self.active[version.document_id] = version.version_id
        return "a-model"

    async def hide(self, tenant_id, document_id):
        self._fail()
        self.hidden.append((tenant_id, document_id))

    async def delete(self, tenant_id, document_id):
        self._fail()
        self.deleted.append((tenant_id, document_id))

    async def check(self, standings):
        self._fail()
        return [self.conditions.get(standing.document_id, Condition.INTACT) for standing in standings]


@dataclass
class FakePlans:
    """Plans and a Meter: remembers what was reserved, and refuses what is beyond `tokens`."""

    limits: TenantLimits = field(default_factory=TenantLimits)
    tokens: int = 10**9
    reserved: dict = field(default_factory=dict)

    async def find_limits(self, tenant_id):
        return self.limits

    async def reserve(self, tenant_id, usage_id, tokens, hold_seconds):
        if tokens > self.tokens:
            raise AppError(Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "The plan allows no more.")
        self.reserved[usage_id] = tokens


@dataclass
class FakeQuotes:
    """A QuoteStore; `failures` are raised one a call."""

    erased: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    async def erase(self, tenant_id, document_id):
        if self.failures:
            raise self.failures.pop(0)
        self.erased.append((tenant_id, document_id))


@dataclass
class FakeParser:
    """A Parser that takes the bytes for the text; `failures` are raised one a call."""

    failures: list = field(default_factory=list)
    calls: int = 0

    async def parse(self, path, content_type):
        self.calls += 1
        error = self.failures.pop(0) if self.failures else None
        if error is not None:
            raise error
        return ParsedDocument(path.read_text(), (), (), "", 0)


class WordTokenizer:
    """A Tokenizer for which a token is a word."""

    def count(self, text):
        return len(text.split())


@dataclass
class Person:
    """Somebody with a token, and stubs that send it."""

    user_id: str
    tenant_id: str
    documents: DocumentServiceStub
    collections: CollectionServiceStub

    async def upload(self, data, filename="note.txt", collection_id="", content_type="", frame_bytes=1 << 20):
        """Uploads bytes in frames, as Envoy does; returns the documents."""
        frames = [data[start : start + frame_bytes] for start in range(0, len(data), frame_bytes)] or [b""]

        async def requests():
            for number, frame in enumerate(frames):
                body = HttpBody(content_type=content_type if number == 0 else "", data=frame)
                first = {"filename": filename, "collection_id": collection_id} if number == 0 else {}
                yield pb.UploadDocumentsRequest(**first, file=body)

        return list((await self.documents.UploadDocuments(requests())).documents)

    async def get(self, document_id):
        return (await self.documents.GetDocument(pb.GetDocumentRequest(document_id=document_id))).document

    async def list(self, **request):
        return await self.documents.ListDocuments(pb.ListDocumentsRequest(**request))


@dataclass
class Stack:
    """The service in this process, and what it is plugged into."""

    database: object
    admin: asyncpg.Connection
    objects: ObstoreObjectStore
    index: FakeIndex
    parser: FakeParser
    quotes: FakeQuotes
    plans: FakePlans
    tokens: object
    address: str
    scratch: Path
    exits: AsyncExitStack

    async def person(self, tenant_id=None, role=Role.MEMBER):
        user_id, tenant_id = str(uuid4()), tenant_id or str(uuid4())
        token = self.tokens.issue(user_id, tenant_id, role)

        async def identity():
            return token

        channel = await self.exits.enter_async_context(open_channel(self.address, identity=identity))
        return Person(user_id, tenant_id, DocumentServiceStub(channel), CollectionServiceStub(channel))

    def runner(self, work=None, **changes):
        """A worker's runner on the same database, with a parser and an index that the test holds."""
        work = work or PostgresWorkStore(self.database)
        cut = partial(cut_text, tokenizer=WordTokenizer(), size=16, overlap=2)
        parts = {
            "queue": PostgresJobQueue(self.database),
            "work": work,
            "processor": DocumentProcessor(self.objects, work, self.parser, cut, self.index, self.plans, self.scratch),
            "remover": DocumentRemover(self.objects, work, self.index, self.quotes),
            "times": LeaseTimes(lease_seconds=30, heartbeat_seconds=5),
            "policy": JobPolicy(first_delay_seconds=0, first_wait_seconds=0, max_wait_seconds=0),
            "chance": random.Random(1),
        }
        return JobRunner(**{**parts, **changes})

    async def run_all(self, runner=None):
        """Runs jobs until none is due."""
        runner = runner or self.runner()
        while await runner.run_next():
            pass

    async def keys(self):
        return sorted([key async for key, _ in self.objects._list("")])

    async def count(self, table):
        return await self.admin.fetchval(f"SELECT count(*) FROM ingestion.{table}")


@pytest.fixture(autouse=True)
def logs():
    """What is logged, as events; rendering tracebacks for nobody would take most of the time."""
    with structlog.testing.capture_logs() as events:
        yield events


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 2 MB of its own; `fill` leaves no room on it, `clear` makes it again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Leaves no room on a small disk."""
    with suppress(OSError), (folder / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def clear(folder):
    """Makes room again."""
    (folder / "filling").unlink()


@pytest.fixture
def memory_objects():
    return ObstoreObjectStore(obstore.store.MemoryStore())


@pytest.fixture
def disk_tools():
    """Functions that fill and clear a small disk."""
    return fill, clear


@pytest_asyncio.fixture
async def stack(service_database, memory_objects, tokens, rpc, tmp_path):
    """Serves ingestion with its real stores on a free port."""
    found = await service_database("ingestion")
    index = FakeIndex()
    settings = Settings(database_url=found.url, max_upload_bytes=100_000, max_upload_files=3, upload_idle_seconds=0.5)
    plans = FakePlans()
    serving = partial(
        add_servicers, settings=settings, database=found.database, objects=memory_objects, index=index, plans=plans
    )
    async with AsyncExitStack() as exits:
        admin = await asyncpg.connect(found.admin_dsn)
        exits.push_async_callback(admin.close)
        address = await exits.enter_async_context(rpc.serve(name="ingestion", add_servicers=serving))
        yield Stack(
            found.database,
            admin,
            memory_objects,
            index,
            FakeParser(),
            FakeQuotes(),
            plans,
            tokens,
            address,
            tmp_path,
            exits,
        )
