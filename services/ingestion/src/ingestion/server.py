"""The composition root of the server: what is plugged into what."""

from contextlib import AsyncExitStack
from functools import partial

import grpc

from docuchat.ingestion.v1.collection_service_pb2_grpc import add_CollectionServiceServicer_to_server
from docuchat.ingestion.v1.document_service_pb2_grpc import add_DocumentServiceServicer_to_server
from ingestion.clients.passage_index import GrpcPassageIndex
from ingestion.config import Settings
from ingestion.library.documents import DocumentReader
from ingestion.model import UploadLimits
from ingestion.parsers.sniff import inspect, sniff_content_type
from ingestion.pipeline.discard import UploadDiscarder
from ingestion.pipeline.receive import UploadReceiver
from ingestion.ports import PassageIndex, Plans
from ingestion.servicers.collections import CollectionServicer
from ingestion.servicers.documents import DocumentServicer
from ingestion.servicers.frames import Pace
from ingestion.stores.collections import PostgresCollectionStore
from ingestion.stores.documents import PostgresDocumentStore
from ingestion.stores.objects import ObstoreObjectStore
from ingestion.stores.texts import PostgresTextStore
from ingestion.stores.workers import PostgresWorkerRegistry
from servicekit.config import reveal_service_secret
from servicekit.database import Database, open_database
from servicekit.metering.meter import GrpcUsageMeter
from servicekit.repeating import repeat
from servicekit.rpc.client import ServiceIdentity, open_channel
from servicekit.rpc.server import run_service
from servicekit.rpc.status_service import Finding
from servicekit.telemetry import record_level

# A caller waits for this.
HIDE_SECONDS = 2.0
# Workers beat every second.
SILENCE_SECONDS = 4.0


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, name="ingestion"))
        objects = ObstoreObjectStore.connect(settings.object_store_url)
        auth = await stack.enter_async_context(open_channel(settings.auth_target))
        identity = ServiceIdentity(auth, "ingestion", reveal_service_secret(settings))
        retrieval = await stack.enter_async_context(open_channel(settings.retrieval_target, identity=identity))
        index = GrpcPassageIndex(retrieval, call_seconds=HIDE_SECONDS)
        own_auth = await stack.enter_async_context(open_channel(settings.auth_target, identity=identity))
        discarder = UploadDiscarder(objects, PostgresDocumentStore(database))
        await run_service(
            settings,
            name="ingestion",
            add_servicers=partial(
                add_servicers,
                settings=settings,
                database=database,
                objects=objects,
                index=index,
                plans=GrpcUsageMeter(own_auth),
            ),
            checks={"postgresql": database.ping, "object store": objects.ping},
            companions={"worker": partial(check_workers, PostgresWorkerRegistry(database))},
            background=[partial(repeat, "sweep", discarder.sweep, every_seconds=settings.sweep_seconds)],
        )


def add_servicers(
    server: grpc.aio.Server,
    *,
    settings: Settings,
    database: Database,
    objects: ObstoreObjectStore,
    index: PassageIndex,
    plans: Plans,
) -> None:
    """Adds the services of ingestion to a server."""
    documents = PostgresDocumentStore(database)
    limits = UploadLimits(max_file_bytes=settings.max_upload_bytes, max_files=settings.max_upload_files)
    receiver = UploadReceiver(
        objects, documents, UploadDiscarder(objects, documents), sniff_content_type, inspect, limits, plans
    )
    reader = DocumentReader(documents, PostgresTextStore(database), objects)
    pace = Pace(idle_seconds=settings.upload_idle_seconds, total_seconds=settings.upload_total_seconds)
    add_DocumentServiceServicer_to_server(DocumentServicer(receiver, reader, documents, index, pace), server)
    add_CollectionServiceServicer_to_server(CollectionServicer(PostgresCollectionStore(database)), server)


async def check_workers(workers: PostgresWorkerRegistry) -> Finding:
    """Finds no worker alive, or how long the oldest due job has been waiting for one. Raises DependencyUnavailable."""
    status = await workers.look(SILENCE_SECONDS)
    record_level("ingestion.jobs.oldest_due_seconds", status.oldest_due_seconds)
    return Finding(is_serving=status.living > 0, oldest_due_job_seconds=status.oldest_due_seconds)
