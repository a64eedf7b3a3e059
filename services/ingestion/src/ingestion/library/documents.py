"""Giving documents, their text, chunks and files to those who may see them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ingestion.errors import DocumentNotFound, DocumentNotReady, InvalidRange, ObjectMissing
from ingestion.model import Caller, Document, DocumentId, Placement, TextRange
from ingestion.ports import DocumentStore, ObjectStore, TextStore
from ingestion.text import Chunk

# At four bytes a character this is the most that fits a gRPC message of the default size.
MAX_CHARACTERS = 1_000_000
MAX_RANGE_CHARACTERS = 20_000  # of one range among many
FRAME_BYTES = 256 * 1024


@dataclass(frozen=True)
class DocumentReader:
    """Reads for a caller; what the caller may not see raises DocumentNotFound, like what does not exist."""

    documents: DocumentStore
    texts: TextStore
    objects: ObjectStore

    async def get(self, caller: Caller, document_id: DocumentId) -> Document:
        """Returns a document. Raises DocumentNotFound."""
        found = await self.documents.find(caller, document_id)
        if found is None:
            raise DocumentNotFound
        return found

    async def read_text(
        self, caller: Caller, document_id: DocumentId, start: int, end: int | None
    ) -> tuple[Document, str]:
        """Returns characters [start, end) of the canonical text; end None, or one past its end, means its end.

        Raises DocumentNotFound, DocumentNotReady, InvalidRange.
        """
        document = await self.get(caller, document_id)
        if not document.has_text:
            raise DocumentNotReady
        stop = document.character_count if end is None else min(end, document.character_count)
        require_range(start, stop, document.character_count)
        return document, await self.texts.read_range(caller.tenant_id, document.version_id, start, stop)

    async def read_ranges(self, caller: Caller, ranges: Sequence[TextRange]) -> list[str | None]:
        """Returns what each range holds; None where it cannot be had. Raises InvalidRange."""
        for each in ranges:
            if not 0 <= each.end - each.start <= MAX_RANGE_CHARACTERS:
                raise InvalidRange(
                    f"A range ends where it starts or after that, and holds at most {MAX_RANGE_CHARACTERS} characters."
                )
        return await self.texts.read_ranges(caller, ranges)

    async def list_chunks(self, caller: Caller, document_id: DocumentId, first: int, limit: int) -> list[Chunk]:
        """Returns at most limit chunks from number `first` on, none before there are any. Raises DocumentNotFound."""
        document = await self.get(caller, document_id)
        return await self.texts.list_chunks(caller.tenant_id, document.version_id, first, limit)

    async def read_content(self, caller: Caller, document: Document) -> AsyncGenerator[bytes, None]:
        """Yields the file as it was uploaded, in frames of at most 256 KiB. Raises DocumentNotFound."""
        placement = Placement(caller.tenant_id, document.document_id, document.version_id)
        try:
            async with aclosing(self.objects.read(placement.raw_key, FRAME_BYTES)) as frames:
                async for frame in frames:
                    yield frame
        except ObjectMissing as error:  # deleted since the row was read
            raise DocumentNotFound from error


def require_range(start: int, end: int, character_count: int) -> None:
    """Raises InvalidRange unless 0 <= start <= end <= character_count and the range fits an answer."""
    if not start <= end <= character_count:
        raise InvalidRange(
            f"The text has {character_count} characters: start_offset may not be after that, nor after end_offset."
        )
    if end - start > MAX_CHARACTERS:
        raise InvalidRange(f"An answer holds {MAX_CHARACTERS} characters: read longer texts in ranges.")
