"""Holding a job while its work runs."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

from ingestion.errors import LeaseLost
from ingestion.model import Job
from ingestion.ports import JobQueue
from servicekit.errors import AppError
from servicekit.telemetry import get_logger


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds a claim holds without a sign of life, and between two signs."""

    lease_seconds: float = 30.0
    heartbeat_seconds: float = 5.0


async def run_leased(queue: JobQueue, job: Job, work: Coroutine[None, None, None], times: LeaseTimes) -> None:
    """Runs work while renewing the lease; raises what the work raises, and LeaseLost once the lease is gone."""
    working = asyncio.ensure_future(work)
    beating = asyncio.ensure_future(keep_alive(queue, job, times))
    try:
        await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        beating.result()
        raise LeaseLost
    finally:
        for task in (working, beating):
            task.cancel()
        # The work must have let go of everything before anyone may claim the job again.
        await asyncio.gather(working, beating, return_exceptions=True)


async def keep_alive(queue: JobQueue, job: Job, times: LeaseTimes) -> None:
    """Renews the lease until it is lost: taken by a newer claim, or run out while the database was away."""
    clock = asyncio.get_running_loop().time
    expires = clock() + times.lease_seconds
    while True:
        await asyncio.sleep(times.heartbeat_seconds)
        asked = clock()
        try:
            async with asyncio.timeout_at(expires):
                held = await queue.renew(job, times.lease_seconds)
        except TimeoutError:
            return
        except AppError as error:
            get_logger("worker").warning("lease not renewed", job_id=job.job_id, reason=error.reason)
            continue
        if not held:
            return
        expires = asked + times.lease_seconds
