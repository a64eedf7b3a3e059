"""A toy stack behind one address: it keeps documents in a dict and answers with one fixed citation."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from google.api import httpbody_pb2
from structlog.testing import capture_logs

from docuchat.auth.v1 import (
    admin_service_pb2,
    auth_service_pb2,
    session_pb2,
    tenant_pb2,
    tokens_pb2,
    user_pb2,
    user_service_pb2,
)
from docuchat.auth.v1.admin_service_pb2_grpc import AdminServiceServicer, add_AdminServiceServicer_to_server
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceServicer, add_UserServiceServicer_to_server
from docuchat.chat.v1 import ask_event_pb2, citation_pb2, conversation_pb2, conversation_service_pb2
from docuchat.chat.v1.chat_service_pb2_grpc import ChatServiceServicer, add_ChatServiceServicer_to_server
from docuchat.chat.v1.conversation_service_pb2_grpc import (
    ConversationServiceServicer,
    add_ConversationServiceServicer_to_server,
)
from docuchat.common.v1 import status_service_pb2
from docuchat.common.v1.status_service_pb2_grpc import StatusServiceServicer, add_StatusServiceServicer_to_server
from docuchat.ingestion.v1 import collection_service_pb2, document_service_pb2
from docuchat.ingestion.v1.collection_service_pb2_grpc import (
    CollectionServiceServicer,
    add_CollectionServiceServicer_to_server,
)
from docuchat.ingestion.v1.document_pb2 import Chunk, Document
from docuchat.ingestion.v1.document_service_pb2_grpc import (
    DocumentServiceServicer,
    add_DocumentServiceServicer_to_server,
)
from docuchat.retrieval.v1 import hit_pb2, search_service_pb2
from docuchat.retrieval.v1.search_service_pb2_grpc import SearchServiceServicer, add_SearchServiceServicer_to_server
from docuchat_client import DocuChat
from servicekit.errors import AppError, Code

USER = "0b9f8f9e-64f5-4f8e-9d29-3f4f1a0f7c11"
TENANT = "5c1d4a53-6a52-4c31-8d3c-2d8d9d3e0a11"
PASSWORD = "correct horse battery staple"
CODE = "123456"
ANSWER = "مرخصی زایمان ۳۹ هفته است [1]"


def require_code(code):
    if code != CODE:
        raise AppError(Code.INVALID_ARGUMENT, "INVALID_CODE", "Ask for a new one.")


class Account(AuthServiceServicer, UserServiceServicer):
    def __init__(self, tokens):
        self.tokens = tokens
        self.refreshes = []
        self.logouts = []
        self.requests = []
        self.lifetime_seconds = 900
        self.sessions = [
            session_pb2.Session(session_id=USER, device="laptop", address="192.0.2.1", is_current=True),
            session_pb2.Session(session_id=TENANT, device="pho\x1b[31mne", address="192.0.2.2"),
        ]

    def issue(self, role="OWNER"):
        claims = {"sub": USER, "tid": TENANT, "role": role, "exp": int(time.time()) + self.lifetime_seconds}
        return tokens_pb2.Tokens(
            access_token=self.tokens.sign(claims),
            refresh_token=f"refresh-{len(self.refreshes)}",
            expires_in_seconds=900,
        )

    async def SignUp(self, request, context):
        if request.email.startswith("taken"):
            raise AppError(Code.ALREADY_EXISTS, "TAKEN", "Log in instead.", retry_after_seconds=2.5)
        user = user_pb2.User(user_id=USER, email=request.email, display_name=request.display_name)
        tenant = tenant_pb2.Tenant(tenant_id=TENANT, display_name=request.tenant_name)
        return auth_service_pb2.SignUpResponse(user=user, tenant=tenant, tokens=self.issue())

    async def Login(self, request, context):
        self.requests.append(request)
        if request.password != PASSWORD:
            raise AppError(Code.UNAUTHENTICATED, "INVALID_CREDENTIALS", "The pair does not match.")
        tokens = self.issue("STAFF" if request.as_staff else "OWNER")
        tokens.device_token = "known"
        return auth_service_pb2.LoginResponse(tokens=tokens)

    async def RequestCode(self, request, context):
        self.requests.append(request)
        return auth_service_pb2.RequestCodeResponse()

    async def VerifyCode(self, request, context):
        require_code(request.code)
        return auth_service_pb2.VerifyCodeResponse(tokens=self.issue())

    async def RequestPasswordReset(self, request, context):
        return auth_service_pb2.RequestPasswordResetResponse()

    async def ResetPassword(self, request, context):
        require_code(request.code)
        self.requests.append(request)
        return auth_service_pb2.ResetPasswordResponse()

    async def RequestEmailVerification(self, request, context):
        return user_service_pb2.RequestEmailVerificationResponse()

    async def VerifyEmail(self, request, context):
        require_code(request.code)
        return user_service_pb2.VerifyEmailResponse(user=user_pb2.User(email="a@example.org", is_email_verified=True))

    async def ChangePassword(self, request, context):
        self.requests.append(request)
        return user_service_pb2.ChangePasswordResponse()

    async def ListSessions(self, request, context):
        return user_service_pb2.ListSessionsResponse(sessions=self.sessions)

    async def RevokeSession(self, request, context):
        if request.session_id not in {each.session_id for each in self.sessions}:
            raise AppError(Code.NOT_FOUND, "SESSION_NOT_FOUND", "No such session.")
        self.sessions = [each for each in self.sessions if each.session_id != request.session_id]
        return user_service_pb2.RevokeSessionResponse()

    async def RevokeAllSessions(self, request, context):
        kept = [each for each in self.sessions if each.is_current and request.keep_current]
        revoked, self.sessions = len(self.sessions) - len(kept), kept
        return user_service_pb2.RevokeAllSessionsResponse(revoked=revoked)

    async def Refresh(self, request, context):
        self.refreshes.append(request.refresh_token)
        if request.refresh_token == "over":
            raise AppError(Code.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN", "The session is over.")
        self.lifetime_seconds = 900
        return auth_service_pb2.RefreshResponse(tokens=self.issue())

    async def Logout(self, request, context):
        self.logouts.append(request.refresh_token)
        self.requests.append(request)
        return auth_service_pb2.LogoutResponse()

    async def GetMe(self, request, context):
        tenant = tenant_pb2.Tenant(tenant_id=TENANT, display_name="Lumen")
        membership = tenant_pb2.Membership(tenant=tenant, role=tenant_pb2.Membership.OWNER)
        user = user_pb2.User(user_id=USER, email="a@example.org", display_name="Ada")
        return user_service_pb2.GetMeResponse(user=user, tenant_id=TENANT, memberships=[membership])


class Library(DocumentServiceServicer, CollectionServiceServicer, SearchServiceServicer):
    def __init__(self):
        self.kept = {}
        self.frames = []
        self.looks = 0
        self.end = {"state": Document.READY}
        self.expired_answers = 0
        self.outages = 0
        self.refusal = AppError(Code.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "Try again.")
        self.full = None

    async def UploadDocuments(self, request_iterator, context):
        frames = [frame async for frame in request_iterator]
        self.frames = frames
        if self.full:
            raise self.full
        content = b"".join(frame.file.data for frame in frames)
        if not content:
            raise AppError(Code.INVALID_ARGUMENT, "EMPTY", "The file has no bytes.")
        return document_service_pb2.UploadDocumentsResponse(documents=[self.keep(frames[0].filename, content)])

    def keep(self, filename, content):
        number = f"00000000-0000-4000-8000-{len(self.kept):012d}"
        self.kept[number] = content
        return Document(document_id=number, filename=filename, state=Document.UPLOADED, size_bytes=len(content))

    async def CreateDocumentFromText(self, request, context):
        document = self.keep(request.filename, request.text.encode())
        return document_service_pb2.CreateDocumentFromTextResponse(document=document)

    async def GetDocument(self, request, context):
        if self.expired_answers:
            self.expired_answers -= 1
            raise AppError(Code.UNAUTHENTICATED, "TOKEN_EXPIRED", "Refresh it.")
        if self.outages:
            self.outages -= 1
            raise self.refusal
        if request.document_id not in self.kept:
            raise AppError(Code.NOT_FOUND, "DOCUMENT_NOT_FOUND", "No such document.")
        self.looks += 1
        step = {"state": Document.INDEXING, "indexed_chunk_count": 1} if self.looks < 3 else self.end
        document = Document(document_id=request.document_id, filename="a.md", chunk_count=2, **step)
        return document_service_pb2.GetDocumentResponse(document=document)

    async def ListDocuments(self, request, context):
        start = int(request.page_token or 0)
        numbers = list(self.kept)[start : start + 2]
        documents = [Document(document_id=number, filename="\u202ea\x1b[31m.md") for number in numbers]
        more = str(start + 2) if start + 2 < len(self.kept) else ""
        return document_service_pb2.ListDocumentsResponse(documents=documents, next_page_token=more)

    async def DeleteDocument(self, request, context):
        if self.kept.pop(request.document_id, None) is None:
            raise AppError(Code.NOT_FOUND, "DOCUMENT_NOT_FOUND", "No such document.")
        return document_service_pb2.DeleteDocumentResponse()

    async def ListChunks(self, request, context):
        number = int(request.page_token or 0)
        chunk = Chunk(chunk_index=number, text=f"chunk {number}")
        return document_service_pb2.ListChunksResponse(chunks=[chunk], next_page_token="" if number else "1")

    async def GetDocumentText(self, request, context):
        text = self.kept[request.document_id].decode()
        end = request.end_offset if request.HasField("end_offset") else None
        return document_service_pb2.GetDocumentTextResponse(text=text[request.start_offset : end])

    async def GetDocumentContent(self, request, context):
        for byte in self.kept[request.document_id]:
            yield httpbody_pb2.HttpBody(data=bytes([byte]))

    async def CreateCollection(self, request, context):
        answer = collection_service_pb2.CreateCollectionResponse()
        answer.collection.display_name = request.display_name
        answer.collection.visibility = request.visibility
        return answer

    async def Search(self, request, context):
        hits = [hit_pb2.Hit(text="39 weeks\nof leave", score=0.5, filename="a.md", page_start=2)] * (
            request.query != "no"
        )
        return search_service_pb2.SearchResponse(hits=hits)


class Talk(ChatServiceServicer, ConversationServiceServicer, StatusServiceServicer):
    def __init__(self):
        self.ended = asyncio.Event()
        self.asked = []
        self.state = status_service_pb2.SERVING
        self.check = citation_pb2.Citation.EXACT
        self.documents_in_progress = 0

    async def Ask(self, request, context):
        self.asked.append(request)
        try:
            async for event in self.answer(request):
                yield event
        finally:
            self.ended.set()

    async def answer(self, request):
        yield ask_event_pb2.AskEvent(sequence=1, started=ask_event_pb2.AskStarted(conversation_id=USER))
        for number, word in enumerate(ANSWER.split(" ")):
            delta = ask_event_pb2.AskTextDelta(text=word if not number else f" {word}")
            yield ask_event_pb2.AskEvent(sequence=2 + number, text_delta=delta)
        if request.question == "endless":
            await asyncio.sleep(60)
        if request.question == "broken":
            failed = ask_event_pb2.AskError(code="UNAVAILABLE", reason="PROVIDER_UNAVAILABLE", message="Ask again.")
            yield ask_event_pb2.AskEvent(sequence=8, error=failed)
        elif request.question != "cut off":
            for event in self.ending():
                yield event

    def ending(self):
        citation = citation_pb2.Citation(marker=1, filename="a.md", page_number=2, quote="۳۹ هفته", check=self.check)
        if self.check == citation_pb2.Citation.SOURCE_DELETED:
            citation = citation_pb2.Citation(marker=1, check=self.check)
        yield ask_event_pb2.AskEvent(sequence=8, citation=citation)
        completed = ask_event_pb2.AskCompleted(
            conversation_id=USER,
            provider="extractive",
            time_to_first_token_ms=12,
            documents_in_progress=self.documents_in_progress,
        )
        yield ask_event_pb2.AskEvent(sequence=9, completed=completed)

    async def ListConversations(self, request, context):
        found = conversation_pb2.Conversation(conversation_id=USER, title="Leave?")
        more = "" if request.page_token else "next"
        return conversation_service_pb2.ListConversationsResponse(conversations=[found], next_page_token=more)

    async def ListMessages(self, request, context):
        message = conversation_pb2.Message(role=conversation_pb2.Message.USER, text="Leave?")
        more = "" if request.page_token else "next"
        return conversation_service_pb2.ListMessagesResponse(messages=[message], next_page_token=more)

    async def DeleteConversation(self, request, context):
        raise AppError(Code.NOT_FOUND, "CONVERSATION_NOT_FOUND", "No such conversation.")

    async def GetStatus(self, request, context):
        row = status_service_pb2.ComponentStatus(service="chat", version="0.1.0", state=self.state)
        return status_service_pb2.GetStatusResponse(components=[row])


class Company(AdminServiceServicer):
    """Three tenants in pages of one, a user, and what was asked about them."""

    def __init__(self):
        self.asked = []

    async def CreateTenant(self, request, context):
        self.asked.append(request)
        tenant = tenant_pb2.Tenant(tenant_id=TENANT, display_name=request.display_name)
        invitation = {"email": request.owner_email, "expire_time": datetime(2026, 1, 8, tzinfo=UTC)}
        return admin_service_pb2.AdminServiceCreateTenantResponse(tenant=tenant, invitation=invitation)

    async def ListTenants(self, request, context):
        self.asked.append(request)
        number = int(request.page_token or 1)
        tenant = tenant_pb2.Tenant(tenant_id=TENANT, display_name=f"Tenant {number}")
        token = str(number + 1) if number < 3 else ""
        return admin_service_pb2.AdminServiceListTenantsResponse(tenants=[tenant], next_page_token=token)

    async def SuspendTenant(self, request, context):
        self.asked.append(request)
        tenant = tenant_pb2.Tenant(tenant_id=request.tenant_id, suspend_time=datetime(2026, 1, 1, tzinfo=UTC))
        return admin_service_pb2.SuspendTenantResponse(tenant=tenant)

    async def SetTenantPlan(self, request, context):
        self.asked.append(request)
        plan = {"plan_id": request.plan_id, "display_name": request.plan_id.title()}
        return admin_service_pb2.SetTenantPlanResponse(subscription={"tenant_id": request.tenant_id, "plan": plan})

    async def FindUsers(self, request, context):
        user = user_pb2.User(user_id=USER, email=request.email, display_name="A\x1b[31mda", is_active=True)
        return admin_service_pb2.FindUsersResponse(users=[user])

    async def EraseUser(self, request, context):
        self.asked.append(request)
        return admin_service_pb2.AdminServiceEraseUserResponse(erasure={"erasure_id": TENANT, "state": "ERASING"})

    async def ListAuditEvents(self, request, context):
        event = {"action": "member.update", "actor_role": "OWNER", "details": {"role_after": "ADMIN"}}
        return admin_service_pb2.AdminServiceListAuditEventsResponse(audit_events=[event])

    async def RotateSigningKeys(self, request, context):
        made = {"key_id": "next", "sign_time": datetime(2026, 1, 1, tzinfo=UTC)}
        return admin_service_pb2.RotateSigningKeysResponse(**made)


class ToyStack:
    def __init__(self, tokens):
        self.account, self.library, self.talk = Account(tokens), Library(), Talk()
        self.company = Company()
        self.address = ""

    def add_to(self, server):
        add_AuthServiceServicer_to_server(self.account, server)
        add_UserServiceServicer_to_server(self.account, server)
        add_AdminServiceServicer_to_server(self.company, server)
        add_DocumentServiceServicer_to_server(self.library, server)
        add_CollectionServiceServicer_to_server(self.library, server)
        add_SearchServiceServicer_to_server(self.library, server)
        add_ChatServiceServicer_to_server(self.talk, server)
        add_ConversationServiceServicer_to_server(self.talk, server)
        add_StatusServiceServicer_to_server(self.talk, server)


@pytest_asyncio.fixture
async def stack(rpc, tokens):
    """The toy stack, serving at `stack.address`."""
    toy = ToyStack(tokens)
    # The server's log lines would mix with what commands print.
    with capture_logs():
        async with rpc.serve(name="toy", add_servicers=toy.add_to) as address:
            toy.address = address
            yield toy


@pytest_asyncio.fixture
async def client(stack):
    """A client that is logged in."""
    async with DocuChat.connect(stack.address) as connected:
        await connected.log_in("a@example.org", PASSWORD)
        yield connected


@pytest.fixture
def missing_id():
    return "00000000-0000-4000-8000-999999999999"
