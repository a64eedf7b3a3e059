"""Files in whatever obstore speaks to: a local folder, S3, or memory."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as Obstore

from ingestion.errors import ObjectMissing
from servicekit.errors import DependencyUnavailable, StorageFull
from servicekit.telemetry import get_logger

PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes as a part
PARTS_IN_FLIGHT = 2
TRANSFER_SECONDS = 300.0
CALL_SECONDS = 30.0
# How a full disk, a spent quota and a full MinIO show in the texts of obstore, which has no error of its own for them.
SIGNS_OF_FULL = ("StorageFull", "QuotaExceeded", "InsufficientStorage", "os error 28", "os error 122")


class ObstoreObjectStore:
    """An ObjectStore; obstore writes to a staging name or a multipart upload, so no reader sees half an object."""

    def __init__(self, store: Obstore) -> None:
        self._store = store

    @classmethod
    def connect(cls, url: str) -> "ObstoreObjectStore":
        """Opens file:///folder (made if missing), s3://bucket/prefix (AWS_* variables apply) or memory:///."""
        if url.startswith("file:"):
            return cls(from_url(url, mkdir=True, automatic_cleanup=True))
        return cls(from_url(url))

    async def put(self, key: str, content: AsyncIterator[bytes]) -> None:
        """Stores all of content, or nothing if the iterator raises or the call is cancelled."""
        source = InterruptibleContent(content)
        with _translated(key):
            upload = asyncio.ensure_future(self._upload(key, source))
            try:
                await asyncio.shield(upload)
            except BaseException:
                # Left alone, obstore would go on in its threads: what it stores after this nobody would look for.
                source.interrupt()
                await asyncio.shield(asyncio.ensure_future(self._end(key, upload)))
                raise

    async def copy(self, source: str, target: str) -> None:
        """Makes target the same object as source, which then survives a power cut. Raises ObjectMissing.

        A cancelled copy has ended, one way or the other, before this does.
        """
        with _translated(source):
            copying = asyncio.ensure_future(self._copy(source, target))
            try:
                await asyncio.shield(copying)
            except BaseException:
                await asyncio.shield(asyncio.ensure_future(_see_end(copying)))
                raise

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes objects; a missing one is no error."""
        for key in keys:
            try:
                with _translated(key):
                    async with asyncio.timeout(CALL_SECONDS):
                        await obstore.delete_async(self._store, key)
            except ObjectMissing:
                continue

    async def delete_prefix(self, prefix: str) -> int:
        """Removes every object whose key begins with prefix; returns how many."""
        keys = [key async for key, _ in self._list(prefix)]
        await self.delete(keys)
        return len(keys)

    async def read(self, key: str, frame_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yields an object in frames of at most frame_bytes. Raises ObjectMissing."""
        with _translated(key):
            async with asyncio.timeout(CALL_SECONDS):
                parts = (await obstore.get_async(self._store, key)).stream(min_chunk_size=frame_bytes)
            while (part := await _next_part(parts)) is not None:
                view = memoryview(part)
                for start in range(0, len(view), frame_bytes):
                    yield bytes(view[start : start + frame_bytes])

    async def download(self, key: str, path: Path) -> None:
        """Writes an object into a file. Raises ObjectMissing, and OSError if the file cannot be written."""
        with path.open("wb") as file, _translated(key):
            async with asyncio.timeout(TRANSFER_SECONDS), aclosing(self.read(key, PART_BYTES)) as frames:
                async for frame in frames:
                    file.write(frame)

    async def list_older(self, prefix: str, age: timedelta) -> list[str]:
        """Returns the keys under prefix that nothing has written to for that long."""
        limit = datetime.now(UTC) - age
        return [key async for key, modified in self._list(prefix) if modified < limit]

    async def remove_staging(self, prefix: str, age: timedelta) -> int:
        """Removes what a killed process left half-written, and returns how many files that were.

        Only a local folder has such files, invisible to list_older; on S3 a
        lifecycle rule for incomplete multipart uploads does this.
        """
        if self._folder is None:
            return 0
        return await asyncio.to_thread(_remove_staging, self._folder / prefix, age)

    async def ping(self) -> str:
        """Returns the kind of store. Raises DependencyUnavailable when it does not answer."""
        with _translated("ping"):
            async with asyncio.timeout(CALL_SECONDS):
                await obstore.list_with_delimiter_async(self._store, "ping")
        return type(self._store).__name__

    async def _upload(self, key: str, source: AsyncIterator[bytes]) -> None:
        await obstore.put_async(
            self._store, key, source, chunk_size=PART_BYTES, max_concurrency=PARTS_IN_FLIGHT, use_multipart=True
        )

    async def _copy(self, source: str, target: str) -> None:
        async with asyncio.timeout(TRANSFER_SECONDS):
            await obstore.copy_async(self._store, source, target)
            if (folder := self._folder) is not None:
                await asyncio.to_thread(force_to_disk, folder / target, folder)

    async def _end(self, key: str, upload: asyncio.Future[None]) -> None:
        await _see_end(upload)
        if self._folder is not None:
            path = self._folder / key
            await asyncio.to_thread(_remove_files, path.parent.glob(f"{path.name}#*"))

    @property
    def _folder(self) -> Path | None:
        """Where a local store keeps its objects; obstore leaves the forcing to the disk to us."""
        if not isinstance(self._store, LocalStore) or self._store.prefix is None:
            return None
        return Path(self._store.prefix)

    async def _list(self, prefix: str) -> AsyncIterator[tuple[str, datetime]]:
        with _translated(prefix):
            async for page in obstore.list(self._store, prefix.rstrip("/")):
                for meta in page:
                    yield meta["path"], meta["last_modified"]


class UploadInterrupted(Exception):
    """Tells the store that no more is coming: it drops what it has."""


class InterruptibleContent:
    """Bytes for a store that waits for them outside our tasks, where no cancellation reaches it."""

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        self._content = content
        self._interrupted: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def interrupt(self) -> None:
        """Ends the bytes with UploadInterrupted, now or when they are next asked for."""
        if not self._interrupted.done():
            self._interrupted.set_exception(UploadInterrupted())
            self._interrupted.exception()

    def __aiter__(self) -> "InterruptibleContent":
        return self

    async def __anext__(self) -> bytes:
        frame = asyncio.ensure_future(anext(self._content))
        await asyncio.wait({frame, self._interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if self._interrupted.done():
            frame.cancel()
            await asyncio.wait({frame})
            return self._interrupted.result()
        return frame.result()


async def _see_end(work: asyncio.Future[None]) -> None:
    # What has begun in obstore's threads goes on there, whoever is cancelled here.
    if not (await asyncio.wait({work}, timeout=CALL_SECONDS))[0]:
        work.cancel()
    elif not work.cancelled():
        work.exception()  # looked at, or the loop complains that nobody did


async def _next_part(parts: AsyncIterator[bytes]) -> bytes | None:
    # The time a slow reader takes between two parts is not the store's.
    async with asyncio.timeout(CALL_SECONDS):
        return await anext(parts, None)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(key) from error
    except (BaseError, TimeoutError) as error:
        # Callers learn only what they can do; whoever runs the store must see what is wrong with it.
        text = f"{type(error).__name__}: {error}"
        get_logger("objects").warning("object store failed", key=key, error=text[:300])
        if any(sign in text for sign in SIGNS_OF_FULL):
            raise StorageFull("the object store") from error
        raise DependencyUnavailable("object store") from error


def force_to_disk(path: Path, root: Path) -> None:
    """Makes a new file survive a power cut: its bytes, and its name in every folder down from root (fsync(2))."""
    for each in (path, *(parent for parent in path.parents if parent.is_relative_to(root))):
        handle = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_staging(folder: Path, age: timedelta) -> int:
    limit = time.time() - age.total_seconds()
    stale = [path for path in folder.rglob("*#*") if path.is_file() and path.stat().st_mtime < limit]
    _remove_files(stale)
    return len(stale)


def _remove_files(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
