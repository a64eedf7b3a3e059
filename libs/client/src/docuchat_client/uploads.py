"""Files as frames of an upload."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from google.api import httpbody_pb2

from docuchat.ingestion.v1.document_service_pb2 import UploadDocumentsRequest

FRAME_BYTES = 256 * 1024

OnSent = Callable[[int], None]


async def read_pieces(source: Path | bytes) -> AsyncIterator[bytes]:
    """Yields the content in pieces of at most 256 KiB; the disk is read off the event loop."""
    if isinstance(source, bytes):
        for start in range(0, len(source), FRAME_BYTES):
            yield source[start : start + FRAME_BYTES]
        return
    with source.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, FRAME_BYTES):
            yield piece


async def make_frames(
    source: Path | bytes, filename: str, collection_id: str, on_sent: OnSent | None
) -> AsyncIterator[UploadDocumentsRequest]:
    """Yields the frames of one raw upload; the first names file and collection, and comes for an empty file too.

    `on_sent` hears the bytes handed over so far.
    """
    sent = 0
    yield UploadDocumentsRequest(filename=filename, collection_id=collection_id, file=httpbody_pb2.HttpBody())
    async for piece in read_pieces(source):
        yield UploadDocumentsRequest(file=httpbody_pb2.HttpBody(data=piece))
        sent += len(piece)
        if on_sent:
            on_sent(sent)
