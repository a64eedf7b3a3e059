"""The frames of an upload: kept to a pace, and read as one raw file or as a multipart form."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from multipart import parse_options_header  # type: ignore[import-untyped]  # ships no types

from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.errors import InvalidMultipart, UploadStalled
from ingestion.model import CollectionId, IncomingFile
from ingestion.ports import Upload
from ingestion.servicers.multipart import MultipartUpload, ending

MULTIPART = "multipart/form-data"
# RFC 2046, 5.1.1.
BOUNDARY = re.compile(r"[\w'()+,\-./:=? ]{0,69}[\w'()+,\-./:=?]", re.ASCII)
MAX_CONTENT_TYPE_CHARACTERS = 1000
SLICE_BYTES = 32 * 1024


@dataclass(frozen=True)
class Pace:
    """How slowly an upload may come: min_bytes every idle_seconds, and all of it in total_seconds."""

    idle_seconds: float = 30.0
    total_seconds: float = 1800.0
    min_bytes: int = 1024


class RawUpload:
    """An Upload whose body is the file."""

    def __init__(self, collection_id: CollectionId, filename: str, content: AsyncGenerator[bytes, None] | None) -> None:
        self.collection_id = collection_id
        self._filename = filename
        self._content = content

    async def files(self) -> AsyncGenerator[IncomingFile, None]:
        """Yields the file; nothing if no frame came at all."""
        if self._content is not None:
            async with ending(self._content):
                yield IncomingFile(self._filename, self._content)


async def open_upload(requests: AsyncIterator[pb.UploadDocumentsRequest], pace: Pace) -> Upload:
    """Returns the upload that the first frame announces. Raises UploadStalled, InvalidMultipart."""
    paced = keep_pace(requests, pace)
    first = await anext(paced, None)
    if first is None:
        return RawUpload(CollectionId(""), "", None)
    content = slice_bodies(first, paced)
    media_type, options = parse_options_header(first.file.content_type[:MAX_CONTENT_TYPE_CHARACTERS])
    if media_type != MULTIPART:
        return RawUpload(CollectionId(first.collection_id), first.filename, content)
    boundary = options.get("boundary", "")
    if not BOUNDARY.fullmatch(boundary):
        raise InvalidMultipart("its content type names no boundary, or one that is none")
    return MultipartUpload(CollectionId(first.collection_id), boundary, content)


async def slice_bodies(
    first: pb.UploadDocumentsRequest, rest: AsyncGenerator[pb.UploadDocumentsRequest, None]
) -> AsyncGenerator[bytes, None]:
    """Yields the bytes of every frame in slices; between two of them everybody else has a turn.

    A frame may hold 8 MiB, and what is done with its bytes (parsed, hashed, searched) is done on the event loop.
    """
    async with aclosing(rest):
        frame: pb.UploadDocumentsRequest | None = first
        while frame is not None:
            data = frame.file.data  # each access copies all of it
            for start in range(0, len(data), SLICE_BYTES):
                yield data[start : start + SLICE_BYTES]
                await asyncio.sleep(0)
            frame = await anext(rest, None)


async def keep_pace(
    requests: AsyncIterator[pb.UploadDocumentsRequest], pace: Pace
) -> AsyncGenerator[pb.UploadDocumentsRequest, None]:
    """Yields frames on; raises UploadStalled when they come too slowly.

    Only waiting for the client counts. A drop of bytes now and then does not
    start the clock anew, or an upload could be held open for days.
    """
    clock = asyncio.get_running_loop().time
    waited = waited_in_all = 0.0
    received = 0
    while True:
        began = clock()
        try:
            async with asyncio.timeout(min(pace.idle_seconds - waited, pace.total_seconds - waited_in_all)):
                frame = await anext(requests, None)
        except TimeoutError as error:
            raise UploadStalled(pace.idle_seconds) from error
        if frame is None:
            return
        waited += clock() - began
        waited_in_all += clock() - began
        received += len(frame.file.data)
        if received >= pace.min_bytes:
            waited, received = 0.0, 0
        yield frame
