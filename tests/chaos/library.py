"""A few documents whose every section has a word of its own, so that what is searchable can be counted."""

import time
from dataclasses import dataclass, field

import grpc

from docuchat.retrieval.v1 import engine_service_pb2 as engine_pb2
from docuchat.retrieval.v1.engine_service_pb2_grpc import EngineServiceStub
from tests.accounts import Account, sign_token, sign_up
from tests.documents import code_of, make_report
from tests.running_stack import RunningStack

SECTIONS = 12
FIRST_SEED = 3000
LOOK_SECONDS = 1.0


@dataclass
class Library:
    """READY documents of one user, by their seed."""

    stack: RunningStack
    account: Account
    documents: dict[int, dict] = field(default_factory=dict)

    @property
    def chunk_count(self) -> int:
        """How many chunks ingestion says there are."""
        return sum(document["chunk_count"] for document in self.documents.values())

    def add(self, count: int) -> None:
        """Uploads documents and waits until they are READY."""
        first = FIRST_SEED + len(self.documents)
        ids = {seed: self.account.upload(_content(seed), f"{seed}.md") for seed in range(first, first + count)}
        self.documents |= {seed: self.account.wait(document_id, 120) for seed, document_id in ids.items()}

    def count_searchable(self) -> int:
        """Returns how many documents a search for a word of their last section finds."""
        return sum(self._is_searchable(seed) for seed in self.documents)

    def _is_searchable(self, seed: int) -> bool:
        word = code_of(seed, SECTIONS - 1)
        try:
            reply = self.account.http.post("/v1/search", query=word)
        except OSError:
            return False
        return reply.status == 200 and any(word in hit["text"] for hit in reply.json["hits"])

    def count_points(self) -> int:
        """Asks the engine itself how many points the tenant has in all its collections."""
        service = sign_token(self.stack, self.account.token, sub="retrieval", role="SERVICE", tid=None)
        metadata = [("authorization", f"Bearer {service}")]
        only = engine_pb2.EngineCondition(key="tenant_id", any_of=[self.account.tenant_id])
        folder = self.stack.home / "data" / "retrieval" / "engine"
        names = [path.name for path in folder.glob("chunks-*") if path.is_dir()]
        with grpc.insecure_channel(self.stack.processes()["engine"]["address"]) as channel:
            requests = [
                engine_pb2.CountPointsRequest(collection=name, filter=engine_pb2.EngineFilter(must=[only]))
                for name in names
            ]
            stub = EngineServiceStub(channel)
            return sum(stub.CountPoints(one, timeout=10, metadata=metadata).point_count for one in requests)

    def wait_until_searchable(self, seconds: float) -> float | None:
        """Returns after how many seconds every document is found; None if not in time."""
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            if self.count_searchable() == len(self.documents):
                return round(time.monotonic() - began, 1)
            time.sleep(LOOK_SECONDS)
        return None


def _content(seed: int) -> bytes:
    return make_report(SECTIONS, seed).encode()


def open_library(stack: RunningStack, documents: int) -> Library:
    """Makes a user with so many READY documents."""
    library = Library(stack, sign_up(stack, "library"))
    library.add(documents)
    return library
