"""multipart/form-data (RFC 7578), read as it arrives: the events of a push parser turned into files one can iterate."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import AsyncGeneratorType
from typing import Any, TypeAlias
from uuid import UUID

from multipart import (  # type: ignore[import-untyped]  # ships no types
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
)

from ingestion.errors import InvalidMultipart
from ingestion.model import CollectionId, IncomingFile
from servicekit.errors import FieldViolation, InvalidField

MAX_HEADER_BYTES = 8 * 1024
MAX_HEADERS = 8
MAX_PARTS = 100
MAX_FIELD_BYTES = 4096
MAX_BYTES_OUTSIDE = 1024**2
COLLECTION_FIELD = "collection_id"

PartEvent: TypeAlias = MultipartSegment | bytes | None
"""A part begins, brings bytes (never none), ends."""


class MultipartUpload:
    """An Upload of the file parts of a form; its field collection_id counts where the request names none."""

    def __init__(self, collection_id: CollectionId, boundary: str, body: AsyncGenerator[bytes, None]) -> None:
        self.collection_id = collection_id
        self._body = body
        self._parser = PushMultipartParser(
            boundary,
            max_header_size=MAX_HEADER_BYTES,
            max_header_count=MAX_HEADERS,
            max_segment_count=MAX_PARTS,
            # Any byte is a letter of it; names are decoded here.
            header_charset="latin-1",
        )

    async def files(self) -> AsyncGenerator[IncomingFile, None]:
        """Yields the files of the form, in order. Raises InvalidMultipart, InvalidField."""
        async with ending(self._read_events()) as events:
            async for part in events:
                if not isinstance(part, MultipartSegment):
                    continue
                if part.filename is None:
                    await self._take_field(part.name, events)
                    continue
                first = await anext(events)
                # Without both it is what a browser sends for a file field in which nothing was chosen.
                if part.filename or first:
                    yield IncomingFile(decode_name(part.filename), read_part(first, events))

    async def _take_field(self, name: str, events: AsyncIterator[PartEvent]) -> None:
        value = bytearray()
        async for data in read_part(await anext(events), events):
            value += data
            if len(value) > MAX_FIELD_BYTES:
                raise InvalidMultipart(f"a field holds more than {MAX_FIELD_BYTES} bytes")
        if name == COLLECTION_FIELD and value and not self.collection_id:
            self.collection_id = CollectionId(require_uuid(value.decode("utf-8", "replace").strip()))

    async def _read_events(self) -> AsyncGenerator[PartEvent, None]:
        outside = 0
        try:
            with self._parser:
                async with aclosing(self._body) as body:
                    async for data in body:
                        outside += len(data)
                        for event in self._parser.parse(data):
                            outside = 0
                            yield event
                        if outside > MAX_BYTES_OUTSIDE:
                            raise InvalidMultipart(f"it holds more than {MAX_BYTES_OUTSIDE} bytes outside its parts")
        except ParserLimitReached as error:
            raise InvalidMultipart(
                f"it has more than {MAX_PARTS} parts, or a part with more than {MAX_HEADERS} headers"
                f" or {MAX_HEADER_BYTES} bytes in one"
            ) from error
        except MultipartError as error:
            raise InvalidMultipart("a boundary or header is malformed, or the closing boundary is missing") from error


@asynccontextmanager
async def ending(arriving: AsyncGenerator[Any, None]) -> AsyncIterator[AsyncGenerator[Any, None]]:
    """Closes what a file is read from, unless a store that gave up still waits for its next bytes.

    To close it then is an error (PEP 525), and that wait ends with the call.
    """
    try:
        yield arriving
    finally:
        if not (isinstance(arriving, AsyncGeneratorType) and arriving.ag_running):
            await arriving.aclose()


async def read_part(first: PartEvent, events: AsyncIterator[PartEvent]) -> AsyncIterator[bytes]:
    """Yields the bytes of a part up to its end."""
    event = first
    while event is not None:
        yield event
        event = await anext(events)


def decode_name(name: str) -> str:
    """Returns a name as it was meant; browsers send UTF-8 (RFC 7578, 5.1)."""
    return name.encode("latin-1").decode("utf-8", "replace")


def require_uuid(value: str) -> str:
    """Returns the id in its usual form. Raises InvalidField."""
    try:
        return str(UUID(value))
    except ValueError as error:
        raise InvalidField(FieldViolation(COLLECTION_FIELD, "must be a valid UUID")) from error
