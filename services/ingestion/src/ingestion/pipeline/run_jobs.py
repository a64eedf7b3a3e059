"""Taking jobs from the queue, and deciding what their end means."""

import asyncio
import random

import structlog

from ingestion.errors import LeaseLost
from ingestion.model import DocumentState, Job, JobKind
from ingestion.pipeline.delete import DocumentRemover
from ingestion.pipeline.lease import LeaseTimes, run_leased
from ingestion.pipeline.process import DocumentProcessor
from ingestion.pipeline.retry import RetryPolicy, backoff_seconds, is_final, is_outage, outage_seconds
from ingestion.ports import JobQueue, OpenSpan, WorkStore
from ingestion.text import ParseFailure
from servicekit.errors import AppError

RELEASE_AGAIN_SECONDS = 0.5
GIVEN_UP = "PROCESSING_FAILED"
GIVEN_UP_MESSAGE = "The document could not be processed although it was tried several times; upload it again."


class JobRunner:
    """Runs one job at a time; several runners share a queue."""

    def __init__(
        self,
        queue: JobQueue,
        work: WorkStore,
        processor: DocumentProcessor,
        remover: DocumentRemover,
        open_span: OpenSpan,
        *,
        times: LeaseTimes,
        policy: RetryPolicy,
        chance: random.Random,
    ) -> None:
        self._queue = queue
        self._work = work
        self._processor = processor
        self._remover = remover
        self._open_span = open_span
        self._times = times
        self._policy = policy
        self._chance = chance

    async def run_until(self, stop: asyncio.Event, poll_seconds: float) -> None:
        """Takes and runs jobs until `stop` is set; the job that runs then is finished first.

        Cancelling puts the running job back, so another worker can begin it at once.
        """
        while not stop.is_set():
            if not await self._try_next():
                await wait_for(stop, poll_seconds)

    async def run_next(self) -> bool:
        """Runs the next due job to its end or its return to the queue; False if there is none."""
        job = await self._queue.claim(self._times.lease_seconds)
        if job is None:
            return False
        with self._open_span(f"{job.kind.lower()} document", job.trace_carrier):
            await self._run(job)
        return True

    async def _try_next(self) -> bool:
        try:
            return await self.run_next()
        except AppError as error:
            # The database is away: whatever was claimed comes back when its lease ends.
            structlog.get_logger().warning("queue not reachable", reason=error.reason)
            return False

    async def _run(self, job: Job) -> None:
        log = structlog.get_logger().bind(job_id=job.job_id, document_id=job.document_id, kind=job.kind.value)
        log.info("job started", attempts=job.attempts, fence=job.fence)
        try:
            await run_leased(self._queue, job, self._do(job), self._times)
        except LeaseLost:
            log.warning("job lost to a newer claim or a deletion")
        except asyncio.CancelledError:
            await self._put_back(job)
            raise
        except Exception as error:  # noqa: BLE001 - whatever went wrong decides what becomes of the job
            await self._settle(job, error)
        else:
            log.info("job done")

    async def _do(self, job: Job) -> None:
        if job.kind is JobKind.DELETE:
            await self._remover.remove(job)
        elif job.lost_leases > self._policy.max_lost_leases:
            # A file that takes its worker down every time must not do so for ever.
            await self._work.finish(job, DocumentState.FAILED, reason=GIVEN_UP, message=GIVEN_UP_MESSAGE)
        else:
            await self._processor.process(job)

    async def _put_back(self, job: Job) -> None:
        log = structlog.get_logger().bind(job_id=job.job_id)
        try:
            await self._queue.release(job, delay_seconds=0, attempts=job.attempts, error="stopped")
        except AppError as error:
            log.warning("the job comes back when its lease ends", reason=error.reason)
        else:
            log.info("job put back")

    async def _settle(self, job: Job, error: Exception) -> None:
        """Decides after a failure: wait, try again, or give up."""
        log = structlog.get_logger().bind(job_id=job.job_id, document_id=job.document_id)
        try:
            if is_outage(error):
                log.warning("job waits", reason=describe(error))
                delay = outage_seconds(self._policy, self._chance)
                await self._release(job, delay_seconds=delay, attempts=job.attempts, error=describe(error))
            elif job.kind is JobKind.PROCESS and (is_final(error) or job.attempts + 1 >= self._policy.max_attempts):
                log.warning("document failed", reason=describe(error), exc_info=not isinstance(error, ParseFailure))
                await self._give_up(job, error)
            else:
                log.warning("job will be tried again", reason=describe(error), exc_info=error)
                delay = backoff_seconds(self._policy, job.attempts + 1, self._chance)
                await self._release(job, delay_seconds=delay, attempts=job.attempts + 1, error=describe(error))
        except LeaseLost:
            log.warning("job lost while it was being settled")

    async def _release(self, job: Job, *, delay_seconds: float, attempts: int, error: str) -> None:
        """Puts the job back; if the queue is away as well, keeps trying for as long as the lease would hold it."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._times.lease_seconds
        while True:
            try:
                await self._queue.release(job, delay_seconds=delay_seconds, attempts=attempts, error=error)
            except AppError:
                if clock() >= end:
                    raise
                await asyncio.sleep(RELEASE_AGAIN_SECONDS)
            else:
                return

    async def _give_up(self, job: Job, error: Exception) -> None:
        reason = error.reason.value if isinstance(error, ParseFailure) else GIVEN_UP
        message = error.message if isinstance(error, ParseFailure) else GIVEN_UP_MESSAGE
        await self._work.finish(job, DocumentState.FAILED, reason=reason, message=message)


def describe(error: Exception) -> str:
    """Returns what may be stored of an error: its reason or type, never its text, which may quote the document."""
    if isinstance(error, AppError):
        return error.reason
    return error.reason.value if isinstance(error, ParseFailure) else type(error).__name__


async def wait_for(stop: asyncio.Event, seconds: float) -> None:
    """Waits that long, or until stop is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
