"""What a tenant's plan allows: documents, bytes and the tokens of embedding."""

import asyncio
import json

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from docuchat.ingestion.v1 import document_service_pb2 as pb
from ingestion.stores.tables import SCHEMA
from servicekit.errors import AppError, Code
from servicekit.metering.model import TenantLimits
from servicekit.metering.outbox import UsageOutbox, read_entry
from servicekit.rpc.status import read_error

TEXT = b"The tide turns at noon and the harbour light is green by night."


async def upload(person, *contents):
    async def frames():
        yield pb.UploadDocumentsRequest(filename="a.txt", file=HttpBody(data=contents[0]))

    return (await person.documents.UploadDocuments(frames())).documents


async def refuse(call):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    quota = error_details_pb2.QuotaFailure()
    assert any(detail.Unpack(quota) for detail in rpc_status.from_call(raised.value).details)
    return read_error(raised.value), quota.violations[0].subject


async def test_uploads_at_once_never_pass_the_plans_documents_together(stack):
    stack.plans.limits = TenantLimits(documents=5)
    person = await stack.person()
    made = await asyncio.gather(*(upload(person, TEXT) for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(each, grpc.aio.AioRpcError) for each in made) == 7
    assert await stack.count("documents") == 5
    assert len(await stack.keys()) == 5, "what was refused is not kept"
    other = await stack.person()
    assert len(await upload(other, TEXT)) == 1, "another tenant's room is its own"


@pytest.mark.parametrize(
    ("limits", "subject"),
    [
        (TenantLimits(documents=1), "documents"),
        (TenantLimits(storage_bytes=2 * len(TEXT) - 1), "storage_bytes"),
    ],
)
async def test_what_would_pass_a_limit_is_refused_by_its_name_until_there_is_room(stack, limits, subject):
    stack.plans.limits = limits
    person = await stack.person()
    (first,) = await upload(person, TEXT)
    error, named = await refuse(upload(person, TEXT))
    assert (error.code, error.reason, named) == (Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", subject)
    await person.documents.DeleteDocument(pb.DeleteDocumentRequest(document_id=first.document_id))
    assert len(await upload(person, TEXT)) == 1


async def test_a_document_that_is_beyond_the_plans_tokens_fails_before_anything_is_embedded(stack):
    stack.plans.tokens = 3
    person = await stack.person()
    (made,) = await upload(person, TEXT)
    await stack.run_all()
    document = (await person.documents.GetDocument(pb.GetDocumentRequest(document_id=made.document_id))).document
    assert pb_state(document) == ("FAILED", "QUOTA_EXCEEDED")
    assert stack.index.sent == []


def pb_state(document):
    return type(document).DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[document.state].name, (
        document.state_reason
    )


class Meter:
    """Counts what it is told; `failures` are raised one a call."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.entries = []

    async def commit(self, entries):
        if self.failures:
            raise self.failures.pop(0)
        self.entries += entries


async def test_what_was_embedded_is_reported_until_it_is_counted(stack):
    person = await stack.person()
    await upload(person, TEXT)
    await stack.run_all()
    (waiting,) = await stack.admin.fetch("SELECT entry FROM ingestion.usage_reports")
    tokens = await stack.admin.fetchval("SELECT sum(token_count) FROM ingestion.chunks")
    entry = read_entry(json.loads(waiting["entry"]))
    assert (entry.tenant_id, entry.user_id, entry.model) == (person.tenant_id, person.user_id, "a-model")
    assert entry.input_tokens == tokens > 0
    assert stack.plans.reserved == {entry.usage_id: tokens}

    outbox, meter = UsageOutbox(SCHEMA, stack.database), Meter(AppError(Code.UNAVAILABLE, "X", "away"))
    with pytest.raises(AppError):
        await outbox.send(meter)
    assert await stack.count("usage_reports") == 1
    await outbox.send(meter)
    assert meter.entries == [entry]
    assert await stack.count("usage_reports") == 0


async def test_two_processes_report_each_call_once(stack):
    person = await stack.person()
    for _ in range(3):
        await upload(person, TEXT)
    await stack.run_all()
    outbox, meter = UsageOutbox(SCHEMA, stack.database), Meter()
    await asyncio.gather(*(outbox.send(meter) for _ in range(4)))
    assert len({entry.usage_id for entry in meter.entries}) == len(meter.entries) == 3
