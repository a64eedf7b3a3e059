"""Measures a running stack: `python tests/load/bench.py [--document PATH] [--asks N] [--concurrency N] [--json]`.

The gateway is at DOCUCHAT_URL (default http://127.0.0.1:8080). It signs up an
account of its own, uploads one document, and prints seconds from upload to
READY beside those of embedding the same chunks alone, search latency, and time
to the first token alone and with many streams at once. Times are wall clock
seen by the client.
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from embedding import time_embedding
from rich.console import Console
from rich.table import Table

from docuchat_client import DocuChat, DocuChatError

SECTIONS = 100
OPENING, QUESTIONS = "people, places, results and numbers", 5


@dataclass(frozen=True)
class Latencies:
    """Percentiles of a series, in milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latencies":
        """Returns the percentiles by nearest rank."""
        ordered = sorted(seconds)
        at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for share in (0.5, 0.95, 0.99)]
        return cls(len(ordered), *(round(value, 1) for value in at))


@dataclass(frozen=True)
class Ingestion:
    """What one upload took."""

    filename: str
    size_bytes: int
    chunk_count: int
    upload_seconds: float
    ready_seconds: float
    chunks_per_second: float
    embedding_alone_seconds: float
    ready_to_embedding: float


@dataclass(frozen=True)
class Answers:
    """What a number of questions took, `concurrency` at a time."""

    concurrency: int
    failed: int
    answers_per_second: float
    first_token: Latencies
    whole: Latencies


@dataclass(frozen=True)
class Report:
    """Everything that was measured."""

    ingestion: Ingestion
    search: Latencies
    one_by_one: Answers
    concurrent: Answers


async def measure_ingestion(client: DocuChat, content: bytes, filename: str) -> Ingestion:
    """Uploads a document, waits until it is READY, then embeds the same chunks alone for comparison."""
    began = time.monotonic()
    stored = await client.upload(content, filename=filename)
    uploaded = time.monotonic() - began
    document = await client.wait_until_ready(stored.document_id, limit_seconds=1800)
    ready = time.monotonic() - began
    alone = await time_embedding(client, stored.document_id)
    rate, ratio = document.chunk_count / ready, ready / alone
    seconds = (round(uploaded, 3), round(ready, 2), round(rate, 1), round(alone, 2), round(ratio, 2))
    return Ingestion(filename, len(content), document.chunk_count, *seconds)


async def time_calls(count: int, concurrency: int, call: Callable[[int], Awaitable[None]]) -> list[float]:
    """Makes numbered calls, so many at a time; returns the seconds that each took."""
    gate, spent = asyncio.Semaphore(concurrency), list[float]()

    async def one(number: int) -> None:
        async with gate:
            began = time.monotonic()
            await call(number)
            spent.append(time.monotonic() - began)

    await asyncio.gather(*(one(number) for number in range(count)))
    return spent


async def find_questions(client: DocuChat) -> Sequence[str]:
    """Returns questions that the document answers, made of its own passages' words.

    Without a key, answers are found by words: what a document says nothing of would measure refusals.
    """
    hits = await client.search(OPENING, top_k=QUESTIONS)
    return [f"What is said of {' '.join(hit.text.split()[5 * place :][:12])}?" for place, hit in enumerate(hits)]


async def measure_search(client: DocuChat, questions: Sequence[str], count: int) -> Latencies:
    """Searches one after the other."""

    async def search(number: int) -> None:
        await client.search(f"{questions[number % len(questions)]} {number}")

    return Latencies.of(await time_calls(count, 1, search))


async def measure_asks(client: DocuChat, questions: Sequence[str], count: int, concurrency: int) -> Answers:
    """Asks; an answer that ends in an error counts as failed."""
    first, failures = list[float](), list[str]()

    async def ask(number: int) -> None:
        try:
            first.append(await time_first_token(client, questions[number % len(questions)]))
        except DocuChatError as error:
            failures.append(error.reason)

    began = time.monotonic()
    spent = await time_calls(count, concurrency, ask)
    rate = (count - len(failures)) / (time.monotonic() - began)
    if failures:
        sys.stderr.write(f"{len(failures)} answers failed: {', '.join(sorted(set(failures)))}\n")
    return Answers(
        concurrency, len(failures), round(rate, 1), Latencies.of(first or [float("nan")]), Latencies.of(spent)
    )


async def time_first_token(client: DocuChat, question: str) -> float:
    """Reads a whole answer; returns the seconds until its first text. Raises DocuChatError for an error event."""
    began, first = time.monotonic(), 0.0
    async for event in client.ask(question):
        if event.HasField("text_delta") and not first:
            first = time.monotonic() - began
        if event.HasField("error"):
            raise DocuChatError(event.error.code, event.error.reason, event.error.message)
    return first


async def measure(url: str, document: Path | None, asks: int, concurrency: int) -> Report:
    """Runs everything in an account made for it."""
    async with DocuChat.connect(url) as client:
        await client.sign_up(f"bench-{secrets.token_hex(6)}@example.org", secrets.token_urlsafe(24))
        content, filename = read_document(document)
        ingestion = await measure_ingestion(client, content, filename)
        questions = await find_questions(client)
        await measure_search(client, questions, 3)  # connections and caches are warm from here on
        return Report(
            ingestion,
            await measure_search(client, questions, asks),
            await measure_asks(client, questions, asks, 1),
            await measure_asks(client, questions, max(asks, concurrency), concurrency),
        )


def read_document(path: Path | None) -> tuple[bytes, str]:
    """Returns content and name of the document; made up, of 100 chunks, if there is no path."""
    if path:
        return path.read_bytes(), path.name
    sections = [f"## Part {number}\n\n{write_part(number)}" for number in range(SECTIONS)]
    return "\n\n".join(sections).encode(), "made-up.md"


def write_part(number: int) -> str:
    """Returns some 350 tokens that no other part has."""
    return " ".join(
        f"On day {day} the keeper of tower {number} counted {day * 7 % 991} ships and {day % 13} storms, "
        f"and went to bed at {day % 5 + 19} o'clock."
        for day in range(number * 12, number * 12 + 12)
    )


def print_report(report: Report) -> None:
    """Prints the figures as a table."""
    table = Table("measure", "value", title="DocuChat, as a client sees it", title_justify="left")
    ingestion, asked, many = report.ingestion, report.one_by_one, report.concurrent
    rows = (
        ("document", f"{ingestion.filename}, {ingestion.size_bytes / 1e6:.2f} MB, {ingestion.chunk_count} chunks"),
        ("upload", f"{ingestion.upload_seconds} s"),
        ("upload to READY", f"{ingestion.ready_seconds} s ({ingestion.chunks_per_second} chunks/s)"),
        (
            "embedding those chunks alone",
            f"{ingestion.embedding_alone_seconds} s; READY took {ingestion.ready_to_embedding} times that",
        ),
        (f"search, {report.search.count} calls", describe(report.search)),
        ("ask, first token", describe(asked.first_token)),
        ("ask, whole answer", describe(asked.whole)),
        (f"{many.concurrency} streams at once, first token", describe(many.first_token)),
        (f"{many.concurrency} streams at once", f"{many.answers_per_second} answers/s, {many.failed} failed"),
    )
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def describe(found: Latencies) -> str:
    """Returns percentiles in one line."""
    return f"p50 {found.p50_ms} ms, p95 {found.p95_ms} ms, p99 {found.p99_ms} ms"


def main() -> None:
    """Reads the command line, measures and prints. Exits with 1 if the stack does not answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--document", type=Path, help="a document to upload; a made-up one if absent")
    parser.add_argument("--asks", type=int, default=50, help="how many questions and searches")
    parser.add_argument("--concurrency", type=int, default=20, help="how many answers at once")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    url = os.environ.get("DOCUCHAT_URL", "http://127.0.0.1:8080")
    try:
        report = asyncio.run(measure(url, options.document, options.asks, options.concurrency))
    except DocuChatError as error:
        sys.exit(f"{url}: {error}")
    if options.json:
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
    else:
        print_report(report)


if __name__ == "__main__":
    main()
