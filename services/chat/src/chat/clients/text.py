"""Canonical text from the ingestion service, as the caller."""

import grpc

from chat.model import Passage
from docuchat.ingestion.v1 import document_service_pb2
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceStub
from servicekit.errors import AppError, Code
from servicekit.rpc.status import read_error

TIMEOUT_SECONDS = 5.0


class VersionReplaced(AppError):
    """Raised when a document has a newer version than the passage: the offsets count in another text."""

    def __init__(self) -> None:
        super().__init__(Code.ABORTED, "VERSION_REPLACED", "The document was processed anew while it was read.")


class GrpcCanonicalText:
    """Asks DocumentService; the channel forwards the caller's token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DocumentServiceStub(channel)

    async def read(self, passage: Passage) -> str:
        """Returns the canonical text of a passage. Raises what ingestion answers, and VersionReplaced."""
        request = document_service_pb2.GetDocumentTextRequest(
            document_id=passage.document_id, start_offset=passage.start_offset, end_offset=passage.end_offset
        )
        try:
            response = await self._stub.GetDocumentText(request, timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise read_error(error) from error
        if response.version_id != passage.version_id:
            raise VersionReplaced
        return response.text
