"""Canonical text from the ingestion service, as the caller."""

from collections.abc import Mapping, Sequence

import grpc

from chat.model import Passage
from docuchat.ingestion.v1 import document_service_pb2
from docuchat.ingestion.v1.document_service_pb2_grpc import DocumentServiceStub
from servicekit.rpc.status import ask

TIMEOUT_SECONDS = 5.0


class GrpcCanonicalText:
    """Asks DocumentService; the channel forwards the caller's token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DocumentServiceStub(channel)

    async def read(self, passages: Sequence[Passage]) -> Mapping[int, str]:
        """Returns the canonical texts of passages by marker, without missing ones. Raises what ingestion answers."""
        request = document_service_pb2.BatchGetDocumentTextsRequest(ranges=map(to_range_proto, passages))
        response = await ask(self._stub.BatchGetDocumentTexts(request, timeout=TIMEOUT_SECONDS))
        answers = zip(passages, response.texts, strict=True)
        return {passage.marker: found.text for passage, found in answers if not found.is_missing}


def to_range_proto(passage: Passage) -> document_service_pb2.TextRange:
    """Returns where a passage stands."""
    return document_service_pb2.TextRange(
        document_id=passage.document_id,
        version_id=passage.version_id,
        start_offset=passage.start_offset,
        end_offset=passage.end_offset,
    )
