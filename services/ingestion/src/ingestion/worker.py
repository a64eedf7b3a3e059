"""The composition root of the worker: what is plugged into what, and its orderly stop."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from shutil import rmtree
from time import time

from ingestion.clients.passage_index import GrpcPassageIndex
from ingestion.clients.quote_store import GrpcQuoteStore
from ingestion.config import Settings
from ingestion.parsers.child import ChildProcessParser
from ingestion.parsers.limits import ParseLimits
from ingestion.pipeline.chunk import cut_text
from ingestion.pipeline.delete import DocumentRemover
from ingestion.pipeline.lease import LeaseTimes
from ingestion.pipeline.process import Cut, DocumentProcessor
from ingestion.pipeline.reconcile import Reconciler
from ingestion.pipeline.retry import JobPolicy
from ingestion.pipeline.run_jobs import JobRunner
from ingestion.ports import Meter, PassageIndex, QuoteStore
from ingestion.stores.jobs import PostgresJobQueue
from ingestion.stores.objects import ObstoreObjectStore
from ingestion.stores.presence import announce, find_dead, forget
from ingestion.stores.standings import PostgresStandingStore
from ingestion.stores.tables import SCHEMA
from ingestion.stores.work import PostgresWorkStore
from ingestion.stores.workers import PostgresWorkerRegistry
from ingestion.text import ParsedDocument
from servicekit.config import reveal_service_secret
from servicekit.database import Database, open_database
from servicekit.errors import AppError
from servicekit.metering.meter import GrpcUsageMeter
from servicekit.metering.outbox import UsageOutbox
from servicekit.repeating import repeat
from servicekit.rpc.client import ServiceIdentity, open_channel
from servicekit.telemetry import configure_telemetry, flush_telemetry, get_logger
from servicekit.tokenization import Cl100kTokenizer

ABANDONED_SECONDS = 3600.0
# Whoever watches a worker gives it a few of these.
BEAT_SECONDS = 1.0
# How late a tenant's account may be about what was embedded.
REPORT_SECONDS = 1.0
# Long enough for a language to be looked for.
WARM_UP_TEXT = "The worker reads this sentence before the first document comes."


async def work(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT."""
    configure_telemetry("ingestion-worker", settings.version, settings.log_level)
    async with AsyncExitStack() as stack:
        stack.callback(flush_telemetry)
        database = await stack.enter_async_context(open_database(settings, name="ingestion-worker"))
        auth = await stack.enter_async_context(open_channel(settings.auth_target))
        identity = ServiceIdentity(auth, "ingestion", reveal_service_secret(settings))
        # The jobs' own retries stand above these calls.
        retrieval = await stack.enter_async_context(
            open_channel(settings.retrieval_target, identity=identity, retries=False)
        )
        chat = await stack.enter_async_context(open_channel(settings.chat_target, identity=identity, retries=False))
        # A meter that does not answer is waited for once; the outbox tries again.
        own_auth = await stack.enter_async_context(open_channel(settings.auth_target, identity=identity, retries=False))
        meter = GrpcUsageMeter(own_auth)
        await work_with(settings, database, GrpcPassageIndex(retrieval), GrpcQuoteStore(chat), meter)


async def work_with(
    settings: Settings, database: Database, index: PassageIndex, quotes: QuoteStore, meter: GrpcUsageMeter
) -> None:
    """Runs the lanes and what goes on beside them: signs of life and the reconciler."""
    cut, workers = build_cutter(settings), settings.data_dir / "workers"
    await build_parser(settings).report_gaps()
    objects = ObstoreObjectStore.connect(settings.object_store_url)
    registry = PostgresWorkerRegistry(database)
    reconciler = Reconciler(PostgresStandingStore(database), index)
    with announce(workers) as name:
        queue = PostgresJobQueue(database, name)
        await free_jobs_of_the_dead(queue, workers)
        build = partial(build_runner, settings, database, objects, cut, index, quotes, meter)
        deletes = build(PostgresJobQueue(database, name, deletes_only=True))
        background = [
            partial(
                repeat, "heartbeat", partial(beat, settings.data_dir / "worker.heartbeat"), every_seconds=BEAT_SECONDS
            ),
            partial(repeat, "registry", partial(registry.beat, name), every_seconds=BEAT_SECONDS),
            partial(repeat, "reconciler", reconciler.run_round, every_seconds=settings.reconcile_seconds),
            partial(repeat, "usage", partial(UsageOutbox(SCHEMA, database).send, meter), every_seconds=REPORT_SECONDS),
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(warm_up, cut))
            await run_until_signalled([build(queue)] * settings.worker_concurrency + [deletes], background, settings)
        await sign_off(registry, name)


def build_cutter(settings: Settings) -> Cut:
    """Returns what cuts a parsed document into chunks of the sizes in the settings."""
    return partial(
        cut_text,
        tokenizer=Cl100kTokenizer(),
        size=settings.chunk_tokens,
        overlap=settings.chunk_overlap_tokens,
    )


def warm_up(cut: Cut) -> None:
    """Loads the vocabulary and the model of languages, 0.8 s that the first document would wait for otherwise."""
    cut(ParsedDocument(text=WARM_UP_TEXT, pages=(), headings=(), title="", page_count=0), "")


async def free_jobs_of_the_dead(queue: PostgresJobQueue, workers: Path) -> None:
    """Frees what workers held that were killed on this machine: their jobs need not wait for their leases."""
    log = get_logger("worker")
    dead = await asyncio.to_thread(find_dead, workers)
    try:
        freed = await queue.end_leases(dead)
    except AppError as error:
        log.warning("jobs of dead workers wait for their leases", reason=error.reason)
        return
    forget(workers, dead)
    log.info("jobs of dead workers freed", workers=len(dead), jobs=freed)


def build_runner(
    settings: Settings,
    database: Database,
    objects: ObstoreObjectStore,
    cut: Cut,
    index: PassageIndex,
    quotes: QuoteStore,
    meter: Meter,
    queue: PostgresJobQueue,
) -> JobRunner:
    """Returns a runner with real rows and parsers, and everything else as given."""
    store = PostgresWorkStore(database)
    scratch = settings.data_dir / "scratch"
    clear_scratch(scratch)
    return JobRunner(
        queue,
        store,
        DocumentProcessor(objects, store, build_parser(settings), cut, index, meter, scratch),
        DocumentRemover(objects, store, index, quotes),
        times=LeaseTimes(settings.lease_seconds, settings.heartbeat_seconds),
        policy=JobPolicy(max_attempts=settings.max_attempts, max_outage_seconds=settings.max_outage_hours * 3600),
        chance=random.Random(),  # noqa: S311 - spreads retries, guards nothing
    )


def build_parser(settings: Settings) -> ChildProcessParser:
    """Returns the parser with the limits of the settings."""
    return ChildProcessParser(
        ParseLimits(
            memory_bytes=settings.parse_memory_bytes,
            cpu_seconds=settings.parse_cpu_seconds,
            wall_seconds=settings.parse_wall_seconds,
            max_pages=settings.max_pages,
            require_confinement=settings.parse_confinement_required,
        )
    )


def clear_scratch(scratch: Path) -> None:
    """Makes the folder for files being parsed, and removes what a killed worker left there an hour ago."""
    scratch.mkdir(parents=True, exist_ok=True)
    for left in scratch.iterdir():
        if left.stat().st_mtime < time() - ABANDONED_SECONDS:
            rmtree(left, ignore_errors=True)


async def run_until_signalled(
    runners: Sequence[JobRunner], background: Sequence[Callable[[], Awaitable[None]]], settings: Settings
) -> None:
    """Lets runners take jobs until SIGTERM or SIGINT, then gives them a moment before their jobs are put back."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log = get_logger("worker")
    log.info("working", concurrency=len(runners))
    lanes = [asyncio.ensure_future(runner.run_until(stop, settings.worker_poll_seconds)) for runner in runners]
    beside = [asyncio.ensure_future(start()) for start in background]
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([stopping, *beside, *lanes], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        stop.set()
        await asyncio.wait(lanes, timeout=settings.worker_grace_seconds)
    finally:
        for task in (stopping, *beside, *lanes):
            task.cancel()
        ended = await asyncio.gather(*lanes, *beside, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


async def beat(path: Path) -> None:
    """Writes this process's id into a file for whoever watches it: an old file means that its event loop stands still.

    It is written in place, which a full disk allows.
    """
    await asyncio.to_thread(write_in_place, path, f"{os.getpid():<10}\n".encode())


def write_in_place(path: Path, content: bytes) -> None:
    """Writes over what the file begins with; makes the file if there is none."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(handle, content, 0)
    finally:
        os.close(handle)


async def sign_off(registry: PostgresWorkerRegistry, name: str) -> None:
    """Says that this worker has ended; silence would say so a few seconds later."""
    try:
        await registry.forget([name])
    except AppError as error:
        get_logger("worker").warning("not signed off", reason=error.reason)
