"""Taking files in: bytes to the object store while they arrive, then one transaction for all of them."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from ingestion.errors import EmptyFile, FileTooLarge, NoFile, TooManyFiles, UnsupportedType
from ingestion.model import (
    Caller,
    CollectionId,
    Document,
    DocumentId,
    IncomingFile,
    Placement,
    StoredFile,
    UploadLimits,
    VersionId,
)
from ingestion.pipeline.discard import UploadDiscarder
from ingestion.pipeline.filenames import clean_filename, name_for
from ingestion.ports import DocumentStore, Inspector, ObjectStore, Plans, Upload
from ingestion.text import ContentType

HEAD_BYTES = 4096
Sniff = Callable[[bytes, str], ContentType | None]
Inspect = Callable[[ContentType], Inspector]


@dataclass(frozen=True)
class UploadReceiver:
    """Stores uploads: all of an upload's files, or none.

    `sniff` finds the type in the first HEAD_BYTES of a file, `inspect` gives what
    sees the whole of it pass and confirms the type.
    """

    objects: ObjectStore
    documents: DocumentStore
    discarder: UploadDiscarder
    sniff: Sniff
    inspect: Inspect
    limits: UploadLimits
    plans: Plans

    async def receive(self, caller: Caller, upload: Upload, carrier: Mapping[str, str]) -> list[Document]:
        """Returns the documents made of an upload's files, in order.

        Raises NoFile, TooManyFiles, EmptyFile, FileTooLarge, UnsupportedType,
        CollectionNotFound, QuotaExceeded, and what reading the upload raises.
        """
        if upload.collection_id:
            await self.documents.require_writable(caller, upload.collection_id)
        placements: list[Placement] = []
        try:
            files = await self._store_all(caller, upload, placements)
            allowed = await self.plans.find_limits(caller.tenant_id)
            documents = await self.documents.create(caller, upload.collection_id, files, carrier, allowed)
        except BaseException:  # a cancelled upload leaves as little behind as a refused one
            await self.discarder.discard_in_peace(placements)
            raise
        await self.discarder.forget(placements)
        return documents

    async def receive_text(
        self, caller: Caller, collection_id: CollectionId, filename: str, text: str, carrier: Mapping[str, str]
    ) -> Document:
        """Returns the document made of a text that is no file. Raises EmptyFile, FileTooLarge, CollectionNotFound."""
        if not text.strip():
            raise EmptyFile(filename)
        return (await self.receive(caller, TextUpload(collection_id, filename, text), carrier))[0]

    async def _store_all(self, caller: Caller, upload: Upload, placements: list[Placement]) -> list[StoredFile]:
        files: list[StoredFile] = []
        async with aclosing(upload.files()) as arriving:
            async for incoming in arriving:
                if len(files) == self.limits.max_files:
                    raise TooManyFiles(self.limits.max_files)
                placement = Placement(caller.tenant_id, DocumentId(str(uuid.uuid4())), VersionId(str(uuid.uuid4())))
                placements.append(placement)
                files.append(await self._store(placement, incoming))
        if not files:
            raise NoFile
        for file in files:
            await self.objects.copy(file.placement.incoming_key, file.placement.raw_key)
        return files

    async def _store(self, placement: Placement, incoming: IncomingFile) -> StoredFile:
        filename = clean_filename(incoming.filename)
        meter = Meter(filename, self.limits.max_file_bytes)
        content = meter.measure(incoming.content)
        head = await read_head(content)
        if not head:
            raise EmptyFile(filename)
        content_type = incoming.content_type or self.sniff(head[:HEAD_BYTES], filename)
        if content_type is None:
            raise UnsupportedType(filename)
        content = prepend(head, content)
        if incoming.content_type is None:
            await self._put_inspected(placement, filename, self.inspect(content_type), content)
        else:
            await self.objects.put(placement.incoming_key, content)
        return StoredFile(
            placement=placement,
            filename=filename or name_for(content_type),
            content_type=content_type,
            size_bytes=meter.size_bytes,
            sha256=meter.sha256,
        )

    async def _put_inspected(
        self, placement: Placement, filename: str, inspector: Inspector, content: AsyncIterator[bytes]
    ) -> None:
        await self.objects.put(placement.incoming_key, show(inspector, content))
        if not await asyncio.to_thread(inspector.confirm):
            raise UnsupportedType(filename)


class TextUpload:
    """An Upload of one text."""

    def __init__(self, collection_id: CollectionId, filename: str, text: str) -> None:
        self.collection_id = collection_id
        self._filename = filename
        self._text = text

    async def files(self) -> AsyncGenerator[IncomingFile, None]:
        """Yields the text as a file in UTF-8, of a type that needs no finding: it was typed in as text."""
        plain = self._filename.lower().endswith(".txt")
        yield IncomingFile(
            self._filename, self._content(), content_type=ContentType.TEXT if plain else ContentType.MARKDOWN
        )

    async def _content(self) -> AsyncIterator[bytes]:
        yield self._text.encode()


class Meter:
    """Counts and hashes a file while it passes."""

    def __init__(self, filename: str, limit: int) -> None:
        self._filename = filename
        self._limit = limit
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """The digest of what has passed, in lower-case hexadecimal."""
        return self._digest.hexdigest()

    async def measure(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yields content on. Raises FileTooLarge at the first byte beyond the limit."""
        async for frame in content:
            self.size_bytes += len(frame)
            if self.size_bytes > self._limit:
                raise FileTooLarge(self._filename, self._limit)
            self._digest.update(frame)
            if frame:
                yield frame


async def read_head(content: AsyncIterator[bytes]) -> bytes:
    """Returns what arrives first, at least HEAD_BYTES unless the file is shorter."""
    head = bytearray()
    while len(head) < HEAD_BYTES and (frame := await anext(content, b"")):
        head += frame
    return bytes(head)


async def prepend(head: bytes, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the head, then the rest."""
    yield head
    async for frame in content:
        yield frame


async def show(inspector: Inspector, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields content on after an inspector has seen it."""
    async for frame in content:
        inspector.feed(frame)
        yield frame
