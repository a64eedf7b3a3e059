"""A light load: one user uploads, searches, asks and lists without a pause, and every outcome is written down."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from tests.accounts import END_STATES, PASSWORD, Account, sign_up
from tests.documents import code_of, make_report
from tests.http_client import HttpClient, Reply
from tests.running_stack import RunningStack

CALL_SECONDS = 40.0
# Between two calls of a kind; a small document takes the worker well under a second.
PAUSE_SECONDS = {"upload": 4.0}
USUAL_PAUSE_SECONDS = 0.5
SEED = 23
SEEDS = count(1000)


@dataclass(frozen=True)
class Outcome:
    """How one call ended."""

    kind: str
    began: float
    ended: float
    """Seconds of the monotonic clock."""
    error: str
    """Empty for a success; else the reason, or what the connection said."""


@dataclass
class Person:
    """Somebody with one READY document, who calls the gateway over and over."""

    account: Account
    document_id: str
    outcomes: list[Outcome] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    """Ids of all documents whose upload was acknowledged, but for those that are there to be deleted."""
    spare: list[str] = field(default_factory=list)
    """Ids of documents to delete."""
    deleted: list[str] = field(default_factory=list)

    @property
    def http(self) -> HttpClient:
        return HttpClient(self.account.http.port, self.account.token, CALL_SECONDS)

    def upload(self, sections: int) -> str:
        """Uploads a document that is like no other; returns its id. Raises AssertionError if it is not accepted."""
        return self.account.upload(make_report(sections, seed=next(SEEDS)).encode(), "report.md")

    def try_to(self, kind: str) -> Outcome:
        """Makes one call; never raises for what a gateway, or its absence, can do."""
        began = time.monotonic()
        try:
            error = CALLS[kind](self)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as caught:
            error = type(caught).__name__
        outcome = Outcome(kind, began, time.monotonic(), error)
        self.outcomes.append(outcome)
        return outcome

    def errors(self, since: float = 0.0) -> dict[str, int]:
        """Returns how often each kind of call failed with which error, for calls that began since then."""
        found = Counter(f"{one.kind} {one.error}" for one in self.outcomes if one.error and one.began >= since)
        return dict(found.most_common())

    def wait_for_all(self, seconds: float) -> dict[str, int]:
        """Waits until every accepted document has ended; returns how many are in each state, LOST for unknown ones."""
        end, states = time.monotonic() + seconds, dict[str, str]()
        while time.monotonic() < end:
            for document_id in self.accepted:
                if states.get(document_id) not in END_STATES:
                    states[document_id] = self._state_of(document_id)
            if set(states.values()) <= END_STATES:
                break
            time.sleep(0.5)
        return dict(Counter(states.values()))

    def count_undeleted(self) -> int:
        """Returns how many of the deleted documents are there again."""
        return sum(self._state_of(document_id) not in {"LOST", "DELETING"} for document_id in self.deleted)

    def _state_of(self, document_id: str) -> str:
        try:
            reply = self.http.get(f"/v1/documents/{document_id}")
        except OSError:
            return "UNREACHABLE"
        if reply.status != 200:
            return "LOST" if reply.status == 404 else f"UNKNOWN {reply.status}"
        document = reply.json["document"]
        return f"FAILED {document['state_reason']}" if document["state"] == "FAILED" else document["state"]


def _judge(reply: Reply) -> str:
    if reply.status == 200:
        return ""
    try:
        return f"{reply.status} {reply.reason}"
    except (ValueError, KeyError):
        return str(reply.status)


def _upload(person: Person) -> str:
    return _send_document(person, sections=2)[0]


def _send_document(person: Person, sections: int) -> tuple[str, str]:
    """Returns what went wrong, and the document's id if nothing did."""
    reply = person.http.upload(make_report(sections, seed=next(SEEDS)).encode(), "note.md")
    if reply.status != 200:
        return _judge(reply), ""
    document_id = reply.json["documents"][0]["document_id"]
    person.accepted.append(document_id)
    return "", document_id


def _process(person: Person) -> str:
    """Uploads and waits until the document is READY, over every outage of reading."""
    error, document_id = _send_document(person, sections=1)
    if error:
        return error
    for _ in range(int(CALL_SECONDS / 0.1)):
        state = person._state_of(document_id)
        if state == "READY":
            return ""
        if state in END_STATES or state.startswith("FAILED"):
            return state
        time.sleep(0.1)
    return f"still {state}"


def _search(person: Person) -> str:
    reply = person.http.post("/v1/search", query=code_of(SEED, 1), document_ids=[person.document_id])
    if reply.status != 200:
        return _judge(reply)
    return "" if any(code_of(SEED, 1) in hit["text"] for hit in reply.json["hits"]) else "NOT_FOUND_THERE"


def _ask(person: Person) -> str:
    reply = person.http.post("/v1/ask", question=f"Who read the gauge with the code {code_of(SEED, 1)}?")
    if reply.status != 200:
        return _judge(reply)
    last = reply.events[-1]
    return "" if "completed" in last else last.get("error", {}).get("reason", "CUT_OFF")


def _list(person: Person) -> str:
    return _judge(person.http.get("/v1/documents", page_size=20))


def _log_in(person: Person) -> str:
    client = HttpClient(person.http.port, timeout_seconds=CALL_SECONDS)
    return _judge(client.post("/v1/auth/login", email=person.account.email, password=PASSWORD))


def _delete(person: Person) -> str:
    """Deletes a spare document; one whose deletion failed is tried again, and may be gone already."""
    if not person.spare:
        return "NOTHING_TO_DELETE"
    reply = person.http.delete(f"/v1/documents/{person.spare[-1]}")
    if reply.status in (200, 404):
        person.deleted.append(person.spare.pop())
    return _judge(reply)


CALLS: dict[str, Callable[[Person], str]] = {
    "upload": _upload,
    "process": _process,
    "search": _search,
    "ask": _ask,
    "list": _list,
    "log in": _log_in,
    "delete": _delete,
}


def settle(stack: RunningStack) -> Person:
    """Makes a user with one READY document whose code the searches look for."""
    account = sign_up(stack, "load")
    document = account.upload_ready(make_report(20, SEED).encode(), "gauges.md")
    return Person(account, document["document_id"])


@contextmanager
def running_load(person: Person, *kinds: str) -> Iterator[None]:
    """Repeats calls in threads, one for each kind, until the block ends."""
    over = threading.Event()

    def repeat(kind: str) -> None:
        while not over.wait(PAUSE_SECONDS.get(kind, USUAL_PAUSE_SECONDS)):
            person.try_to(kind)

    threads = [threading.Thread(target=repeat, args=(kind,), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(CALL_SECONDS + 5)
