"""People who use the stack: made by signing up, or by a token for what no sign-up can make."""

import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import jwt

from tests.http_client import HttpClient
from tests.running_stack import RunningStack

PASSWORD = "a sentence only a test would say"
END_STATES = {"READY", "NO_TEXT", "FAILED"}


@dataclass(frozen=True)
class Account:
    """A user with a token."""

    http: HttpClient
    email: str
    user_id: str
    tenant_id: str
    refresh_token: str = ""

    @property
    def token(self) -> str:
        return self.http.token

    def upload(self, content: bytes, filename: str) -> str:
        """Uploads a file; returns its document id."""
        reply = self.http.upload(content, filename)
        assert reply.status == 200, reply.body
        return reply.json["documents"][0]["document_id"]

    def wait(self, document_id: str, seconds: float = 60) -> dict:
        """Returns the document in its end state."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            document = self.http.get(f"/v1/documents/{document_id}").json["document"]
            if document["state"] in END_STATES:
                return document
            time.sleep(0.03)
        raise TimeoutError(f"still {document['state']} after {seconds} s: {document}")

    def wait_through_outage(self, document_id: str, seconds: float) -> dict:
        """Waits like `wait`, while services that answer are allowed to be missing."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            reply = self.http.get(f"/v1/documents/{document_id}")
            if reply.status == 200 and reply.json["document"]["state"] in END_STATES:
                return reply.json["document"]
            time.sleep(0.05)
        raise TimeoutError(f"not in an end state after {seconds} s: {reply.body!r}")

    def upload_ready(self, content: bytes, filename: str) -> dict:
        """Uploads a file and returns the READY document."""
        document = self.wait(self.upload(content, filename))
        assert document["state"] == "READY", document
        return document

    def text(self, document_id: str) -> str:
        """Returns the canonical text."""
        return self.http.get(f"/v1/documents/{document_id}/text").json["text"]

    def chunks(self, document_id: str) -> list[dict]:
        """Returns every chunk, over all pages."""
        found, token = [], ""
        while True:
            page = self.http.get(f"/v1/documents/{document_id}/chunks", page_size=100, page_token=token).json
            found += page["chunks"]
            token = page["next_page_token"]
            if not token:
                return found

    def ask(self, question: str, **fields: object) -> list[dict]:
        """Returns the events of an answer."""
        reply = self.http.post("/v1/ask", question=question, **fields)
        assert reply.status == 200, reply.body
        assert reply.headers["content-type"].startswith("text/event-stream")
        return reply.events


def sign_up(stack: RunningStack, name: str = "") -> Account:
    """Makes a user with a tenant."""
    email = f"{name or 'user'}-{uuid4().hex[:12]}@example.org"
    reply = stack.http.post("/v1/auth/sign-up", email=email, password=PASSWORD, display_name=name, tenant_name=name)
    assert reply.status == 200, reply.body
    answer = reply.json
    client = HttpClient(stack.port, answer["tokens"]["access_token"])
    ids = answer["user"]["user_id"], answer["tenant"]["tenant_id"]
    return Account(client, email, *ids, answer["tokens"]["refresh_token"])


def sign_token(stack: RunningStack, template: str, **claims: object) -> str:
    """Returns a token signed with the stack's own key, like `template` but for these claims; None leaves one out."""
    (key,) = _signing_keys(stack.home)
    usual = jwt.decode(template, options={"verify_signature": False})
    header = jwt.get_unverified_header(template)
    wanted = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(wanted, key, algorithm="EdDSA", headers=header)


def join_tenant(stack: RunningStack, account: Account) -> Account:
    """Makes a second member of an account's tenant; there is no invitation yet, so its token is made here."""
    user_id = str(uuid4())
    token = sign_token(stack, account.token, sub=user_id, role="MEMBER", sid=str(uuid4()), jti=str(uuid4()))
    return Account(HttpClient(stack.port, token), "", user_id, account.tenant_id)


def _signing_keys(home: Path) -> list[bytes]:
    keys = [path.read_bytes() for path in sorted((home / "secrets").iterdir()) if path.is_file()]
    return [key for key in keys if b"PRIVATE KEY" in key]
