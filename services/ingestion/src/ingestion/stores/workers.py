"""Which workers live, told by a row that each of them touches, so that every replica knows."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from servicekit.database import Database

BEAT = sa.text("""
INSERT INTO ingestion.workers (name) VALUES (:name)
ON CONFLICT (name) DO UPDATE SET beat_time = clock_timestamp()
""")
FORGET = sa.text("DELETE FROM ingestion.workers WHERE name = ANY(:names) OR beat_time < now() - interval '1 day'")
LOOK = sa.text("""
SELECT
    (SELECT count(*) FROM ingestion.workers
     WHERE beat_time > now() - make_interval(secs => :silence_seconds)) AS living,
    coalesce(extract(epoch FROM now() - (
        SELECT min(coalesce(lease_until, run_after)) FROM ingestion.jobs
        WHERE coalesce(lease_until, run_after) <= now())), 0)::int AS oldest_due_seconds
""")


@dataclass(frozen=True)
class WorkerStatus:
    """How many workers live, and for how long the oldest due job has been waiting."""

    living: int
    oldest_due_seconds: int


class PostgresWorkerRegistry:
    """Where workers give signs of life."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, name: str) -> None:
        """Says that a worker lives."""
        async with self._database.transaction(scope="jobs") as connection:
            await connection.execute(BEAT, {"name": name})

    async def forget(self, names: Sequence[str]) -> None:
        """Removes workers that have ended, and those that nobody has heard of for a day."""
        async with self._database.transaction(scope="jobs") as connection:
            await connection.execute(FORGET, {"names": list(names)})

    async def look(self, silence_seconds: float) -> WorkerStatus:
        """Counts the workers that have beaten within that time, and looks for the oldest due job."""
        async with self._database.transaction(scope="jobs") as connection:
            row = (await connection.execute(LOOK, {"silence_seconds": silence_seconds})).one()
        return WorkerStatus(living=row.living, oldest_due_seconds=row.oldest_due_seconds)
