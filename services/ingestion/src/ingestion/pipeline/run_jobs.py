"""Taking jobs from the queue, and deciding what their end means."""

import asyncio
import random
from dataclasses import KW_ONLY, dataclass, replace

from ingestion.errors import LeaseLost, Refused
from ingestion.model import DocumentState, Job, JobKind
from ingestion.pipeline.delete import DocumentRemover
from ingestion.pipeline.lease import LeaseTimes, run_leased
from ingestion.pipeline.process import DocumentProcessor
from ingestion.pipeline.retry import JobPolicy, backoff_seconds, is_final, is_outage, outage_seconds
from ingestion.ports import JobQueue, WorkStore
from ingestion.text import ParseFailure
from servicekit.errors import AppError
from servicekit.telemetry import Logger, count_event, get_logger, span

RELEASE_AGAIN_SECONDS = 0.5
GIVEN_UP = "PROCESSING_FAILED"
GIVEN_UP_MESSAGE = "The document could not be processed although it was tried several times; upload it again."
TOO_LONG = "OUTAGE_TOO_LONG"
TOO_LONG_MESSAGE = "A service that processing needs was away for hours; upload the document again once it is back."
# What the index answers about a document that is hidden for good.
HIDDEN = "DOCUMENT_DELETED"


@dataclass(frozen=True)
class JobRunner:
    """Runs one job at a time; several runners share a queue."""

    queue: JobQueue
    work: WorkStore
    processor: DocumentProcessor
    remover: DocumentRemover
    _: KW_ONLY
    times: LeaseTimes
    policy: JobPolicy
    chance: random.Random

    async def run_until(self, stop: asyncio.Event, poll_seconds: float) -> None:
        """Takes and runs jobs until `stop` is set; the job that runs then is finished first.

        Cancelling puts the running job back, so another worker can begin it at once.
        """
        while not stop.is_set():
            if not await self._try_next():
                await wait_for(stop, poll_seconds)

    async def run_next(self) -> bool:
        """Runs the next due job to its end or its return to the queue; False if there is none."""
        job = await self.queue.claim(self.times.lease_seconds)
        if job is None:
            return False
        with span(f"{job.kind.lower()} document", job.trace_carrier):
            await self._run(job)
        return True

    async def _try_next(self) -> bool:
        log = get_logger("worker")
        try:
            return await self.run_next()
        except AppError as error:
            # The database is away: whatever was claimed comes back when its lease ends.
            log.warning("queue not reachable", reason=error.reason)
        except Exception:
            count_event("job.unsettled")
            log.exception("a job could not be settled; it comes back when its lease ends")
        return False

    async def _run(self, job: Job) -> None:
        log = get_logger("worker").bind(job_id=job.job_id, document_id=job.document_id, kind=job.kind.value)
        log.info("job started", attempts=job.attempts, fence=job.fence)
        try:
            await run_leased(self.queue, job, self._do(job), self.times)
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
            await self.remover.remove(job)
        elif job.lost_leases > self.policy.max_lost_leases:
            # A file that takes its worker down every time must not do so for ever.
            await self.work.finish(job, DocumentState.FAILED, reason=GIVEN_UP, message=GIVEN_UP_MESSAGE)
        else:
            await self.processor.process(job)

    async def _put_back(self, job: Job) -> None:
        log = get_logger("worker").bind(job_id=job.job_id)
        try:
            await self.queue.release(job, delay_seconds=0, error="stopped")
        except AppError as error:
            log.warning("the job comes back when its lease ends", reason=error.reason)
        else:
            log.info("job put back")

    async def _settle(self, job: Job, error: Exception) -> None:
        """Decides after a failure: wait, try again, or give up."""
        log = get_logger("worker").bind(job_id=job.job_id, document_id=job.document_id)
        try:
            if is_outage(error):
                await self._wait(job, error, log)
            elif job.kind is JobKind.DELETE or not (is_final(error) or job.attempts + 1 >= self.policy.max_attempts):
                log.warning("job will be tried again", reason=describe(error), exc_info=error)
                delay = backoff_seconds(self.policy, job.attempts + 1, self.chance)
                await self._release(replace(job, attempts=job.attempts + 1), delay_seconds=delay, error=describe(error))
            else:
                await self._give_up(job, error, log)
        except LeaseLost:
            log.warning("job lost while it was being settled")

    async def _wait(self, job: Job, error: Exception, log: Logger) -> None:
        """Puts the job back until what is away may be there again; a delete waits without end."""
        if job.kind is not JobKind.DELETE and job.waited_seconds >= self.policy.max_outage_seconds:
            log.warning("document failed", reason=TOO_LONG, outage=describe(error))
            await self.work.finish(job, DocumentState.FAILED, reason=TOO_LONG, message=TOO_LONG_MESSAGE)
            return
        delay = outage_seconds(self.policy, job.waited_seconds, self.chance)
        log.warning("job waits", reason=describe(error), seconds=round(delay, 1))
        waited = replace(job, waited_seconds=job.waited_seconds + delay)
        await self._release(waited, delay_seconds=delay, error=describe(error))

    async def _release(self, job: Job, *, delay_seconds: float, error: str) -> None:
        """Puts the job back; if the queue is away as well, keeps trying for as long as the lease would hold it."""
        clock = asyncio.get_running_loop().time
        end = clock() + self.times.lease_seconds
        while True:
            try:
                await self.queue.release(job, delay_seconds=delay_seconds, error=error)
            except AppError:
                if clock() >= end:
                    raise
                await asyncio.sleep(RELEASE_AGAIN_SECONDS)
            else:
                return

    async def _give_up(self, job: Job, error: Exception, log: Logger) -> None:
        if isinstance(error, AppError) and error.reason == HIDDEN:
            log.warning("a delete that never got further than the index is finished")
            await self.work.turn_into_delete(job)
            return
        reason, message = GIVEN_UP, GIVEN_UP_MESSAGE
        if isinstance(error, ParseFailure | Refused):
            reason, message = describe(error), error.message
        log.warning("document failed", reason=describe(error), exc_info=error if reason == GIVEN_UP else None)
        await self.work.finish(job, DocumentState.FAILED, reason=reason, message=message)


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
