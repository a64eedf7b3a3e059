"""Writes the points of one shard into a new one, so that nothing of what was deleted is in its files.

Run as a program, `python -m retrieval.engine.rebuild SOURCE TARGET DIMENSIONS PARENT`, at the lowest
priority: the binding holds the interpreter lock, so the engine's own process cannot do it.
"""

import asyncio
import ctypes
import os
import signal
import sys
from pathlib import Path

import qdrant_edge as edge

from retrieval.engine.collection import create_shard
from retrieval.engine.disk import sync_folder

BATCH_POINTS = 256
LEAST_PRIORITY = 19
SECONDS = 3600.0
PR_SET_PDEATHSIG = 1


class RebuildFailed(Exception):
    """Raised when the child ended without a whole shard."""


def rebuild(source: Path, target: Path, dimensions: int) -> None:
    """Copies every point, vectors and payload as they are, and forces the result to the disk."""
    old = edge.EdgeShard.load(str(source))
    schema = old.info().payload_schema
    keys = {key: row.params for key, row in schema.items() if isinstance(row.params, edge.KeywordIndexParams)}
    new = create_shard(target, dimensions, keys)
    offset = None
    while True:
        request = edge.ScrollRequest(offset=offset, limit=BATCH_POINTS, with_payload=True, with_vector=True)
        records, offset = old.scroll(request)
        points = [edge.Point(id=row.id, vector=row.vector or {}, payload=row.payload) for row in records]
        new.update(edge.UpdateOperation.upsert_points(points))
        if offset is None:
            break
    new.flush()
    new.close()
    sync_folder(target)
    old.close()


async def rebuild_in_child(source: Path, target: Path, dimensions: int) -> None:
    """Has a child do it, within an hour. Raises RebuildFailed, TimeoutError."""
    command = (sys.executable, "-m", __name__, str(source), str(target), str(dimensions), str(os.getpid()))
    child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
        code = await asyncio.wait_for(child.wait(), SECONDS)
    except (TimeoutError, asyncio.CancelledError):
        child.kill()
        await child.wait()
        raise
    if code != 0:
        raise RebuildFailed(f"the child ended with exit code {code}")


def _end_with_parent(parent: int) -> None:
    # On Linux the kernel sees to it; elsewhere an orphan finishes and its work is thrown away at the next start.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the engine is gone")


if __name__ == "__main__":
    _end_with_parent(int(sys.argv[4]))
    os.nice(LEAST_PRIORITY)
    rebuild(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
