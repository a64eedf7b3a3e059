"""The composition root of the worker: what is plugged into what, and its orderly stop."""

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from shutil import rmtree
from time import time

from ingestion.clients.identity import build_identity
from ingestion.clients.retrieval_passage_index import GrpcPassageIndex
from ingestion.config import Settings
from ingestion.parsers.child import ChildProcessParser
from ingestion.parsers.limits import ParseLimits
from ingestion.pipeline.delete import DocumentRemover
from ingestion.pipeline.lease import LeaseTimes
from ingestion.pipeline.prepare import prepare_text
from ingestion.pipeline.process import DocumentProcessor, Prepare
from ingestion.pipeline.retry import RetryPolicy
from ingestion.pipeline.run_jobs import JobRunner
from ingestion.ports import PassageIndex
from ingestion.stores.jobs import PostgresJobQueue
from ingestion.stores.objects import ObstoreObjectStore
from ingestion.stores.presence import announce, find_dead, forget
from ingestion.stores.work import PostgresWorkStore
from ingestion.text import ParsedDocument
from servicekit.database import Database
from servicekit.errors import AppError
from servicekit.rpc.client import open_channel
from servicekit.telemetry import configure_telemetry, flush_telemetry, get_logger, span
from servicekit.tokenization import Cl100kTokenizer

ABANDONED_SECONDS = 3600.0
BEAT_SECONDS = 1.0
# Long enough for a language to be looked for.
WARM_UP_TEXT = "The worker reads this sentence before the first document comes."


async def work(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT."""
    configure_telemetry("ingestion-worker", settings.version, settings.log_level)
    database = Database.connect(
        settings.database_url.get_secret_value(), name="ingestion-worker", pool_size=settings.database_pool_size
    )
    objects = ObstoreObjectStore.connect(settings.object_store_url)
    auth = open_channel(settings.auth_target)
    retrieval = open_channel(settings.retrieval_target, identity=build_identity(settings, auth), retries=False)
    prepare, workers = build_prepare(settings), settings.data_dir / "workers"
    try:
        with announce(workers) as name:
            queue = PostgresJobQueue(database, name)
            await free_jobs_of_the_dead(queue, workers)
            runner = build_runner(settings, database, queue, objects, prepare, GrpcPassageIndex(retrieval))
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(warm_up, prepare))
                await run_until_signalled([runner] * settings.worker_concurrency, settings)
    finally:
        await retrieval.close()
        await auth.close()
        await database.close()
        flush_telemetry()


def build_prepare(settings: Settings) -> Prepare:
    """Returns what cuts a parsed document into chunks of the sizes in the settings."""
    return partial(
        prepare_text,
        tokenizer=Cl100kTokenizer(),
        size=settings.chunk_tokens,
        overlap=settings.chunk_overlap_tokens,
    )


def warm_up(prepare: Prepare) -> None:
    """Loads the vocabulary and the model of languages, 0.8 s that the first document would wait for otherwise."""
    prepare(ParsedDocument(text=WARM_UP_TEXT, pages=(), headings=(), title="", page_count=0), "")


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
    queue: PostgresJobQueue,
    objects: ObstoreObjectStore,
    prepare: Prepare,
    index: PassageIndex,
) -> JobRunner:
    """Returns a runner with real stores and parsers, and the queue, the preparation and the index given."""
    store = PostgresWorkStore(database)
    scratch = settings.data_dir / "scratch"
    clear_scratch(scratch)
    return JobRunner(
        queue,
        store,
        DocumentProcessor(objects, store, build_parser(settings), prepare, index, span, scratch),
        DocumentRemover(objects, store, index),
        span,
        times=LeaseTimes(settings.lease_seconds, settings.heartbeat_seconds),
        policy=RetryPolicy(max_attempts=settings.max_attempts),
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
        )
    )


def clear_scratch(scratch: Path) -> None:
    """Makes the folder for files being parsed, and removes what a killed worker left there an hour ago."""
    scratch.mkdir(parents=True, exist_ok=True)
    for left in scratch.iterdir():
        if left.stat().st_mtime < time() - ABANDONED_SECONDS:
            rmtree(left, ignore_errors=True)


async def run_until_signalled(runners: Sequence[JobRunner], settings: Settings) -> None:
    """Lets runners take jobs until SIGTERM or SIGINT, then gives them a moment before their jobs are put back."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log = get_logger("worker")
    log.info("working", concurrency=len(runners))
    lanes = [asyncio.ensure_future(runner.run_until(stop, settings.worker_poll_seconds)) for runner in runners]
    beat = asyncio.ensure_future(keep_heartbeat(settings.data_dir / "worker.heartbeat", BEAT_SECONDS))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([stopping, beat, *lanes], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        stop.set()
        await asyncio.wait(lanes, timeout=settings.worker_grace_seconds)
    finally:
        for task in (stopping, beat, *lanes):
            task.cancel()
        ended = await asyncio.gather(*lanes, beat, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


async def keep_heartbeat(path: Path, seconds: float) -> None:
    """Writes its pid for whoever watches the worker: an old file means that its event loop stands still."""
    while True:
        await asyncio.to_thread(path.write_text, f"{os.getpid()}\n")
        await asyncio.sleep(seconds)
