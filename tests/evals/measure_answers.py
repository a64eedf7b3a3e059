"""Measures answers without a key: `python tests/evals/measure_answers.py FOLDER [LANGUAGE ...]`.

FOLDER holds a folder for each language in BEIR's layout: corpus.jsonl ({"_id", "title", "text"}) and queries.jsonl
({"_id", "text", "answers"}), where any one of the answers must stand in what is said, and a question without answers is
off-topic: it should be refused. Chunker, engine, search and the extractive provider are the real ones, in one process.

Questions are split in two by a hash of their id. What is tuned is tuned on "train"; "test" shows what it is worth.
"""

import asyncio
import hashlib
import json
import logging
import sys
import tempfile
import uuid
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import structlog

from chat.clients.search import to_passage
from chat.model import FinishReason, ProviderText
from chat.providers.extractive import ExtractiveProvider
from chat.turn.build_prompt import build_prompt
from ingestion.parsers.plain import parse_text
from ingestion.pipeline.chunk import cut_text
from language.folding import fold
from retrieval.convert import to_hit_proto
from retrieval.embedders.bm25 import Bm25TermWeigher
from retrieval.embedders.minilm import MiniLmEmbedder
from retrieval.engine.catalog import Catalog
from retrieval.engine.server import build_engine, start_engine
from retrieval.model import Chunk, DocumentVersion, Point, Scope
from retrieval.search.searcher import Searcher
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Generation
from servicekit.tokenization import Cl100kTokenizer

TOP_K = 8
SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "answers")


@dataclass(frozen=True)
class Outcome:
    """What one question came to."""

    question_id: str
    question: str
    answers: tuple[str, ...]
    said: str
    refused: bool
    passages: tuple[str, ...]

    @property
    def is_train(self):
        return hashlib.sha256(self.question_id.encode()).digest()[0] % 2 == 0

    @property
    def is_right(self):
        return not self.refused and holds(self.said, self.answers)

    @property
    def was_found(self):
        return holds("\n".join(self.passages), self.answers)


class AllVisible:
    """A registry in which every version is active."""

    async def find_visible(self, tenant_id, version_ids):
        return frozenset(version_ids)


def holds(text, answers):
    said = " ".join(fold(text).split())
    return any(" ".join(fold(answer).split()) in said for answer in answers)


def read_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def cut(row, tenant, tokenizer):
    """Returns the chunks of a document as ingestion would make them, each with its version."""
    document = parse_text(row["text"].encode())
    prepared = cut_text(document, row["_id"], tokenizer=tokenizer, size=400, overlap=40)
    title = row.get("title") or prepared.title
    version = DocumentVersion(tenant, row["_id"], row["_id"], "all", "", row["_id"], title, prepared.language)
    for chunk in prepared.chunks:
        place = chunk.chunk_index, chunk.text, chunk.start_offset, chunk.end_offset, chunk.page_start, chunk.page_end
        yield version, Chunk(*place, chunk.heading_path, chunk.page_break_offsets)


async def fill(searcher, rows, tenant):
    tokenizer = Cl100kTokenizer()
    pieces = [piece for row in rows for piece in cut(row, tenant, tokenizer)]
    vectors = await searcher.embedder.embed_passages([chunk.text for _, chunk in pieces])
    await searcher.index.upsert(
        [
            Point(
                str(uuid.uuid5(SPACE, f"{tenant}/{version.version_id}/{chunk.chunk_index}")),
                version,
                chunk,
                vector,
                searcher.weigher.weigh_passage(chunk.text, version.language),
            )
            for (version, chunk), vector in zip(pieces, vectors, strict=True)
        ]
    )


class Parts(list):
    async def put(self, part):
        self.append(part)


async def ask(searcher, tenant, row):
    hits = await searcher.search(Scope(tenant, ""), row["text"], TOP_K)
    passages = [to_passage(marker, to_hit_proto(hit)) for marker, hit in enumerate(hits, start=1)]
    prompt = build_prompt(row["text"], (), passages, count_tokens=len, budget=10**6)
    parts = Parts()
    finish = await ExtractiveProvider().write(prompt, parts)
    return Outcome(
        row["_id"],
        row["text"],
        tuple(row["answers"]),
        "".join(part.text for part in parts if isinstance(part, ProviderText)).strip(),
        finish.reason is FinishReason.NO_ANSWER,
        tuple(passage.text for passage in passages),
    )


def share(values):
    values = list(values)
    return sum(values) / len(values) if values else float("nan")


def report(name, outcomes):
    asked = [one for one in outcomes if one.answers]
    strange = [one for one in outcomes if not one.answers]
    print(
        f"{name:10} {share(one.is_right for one in asked):8.3f} {share(one.was_found for one in asked):8.3f} "
        f"{share(one.refused for one in asked):8.3f} {share(one.refused for one in strange):10.3f} "
        f"{share(len(one.said) for one in asked if not one.refused):11.0f} {len(asked):6} {len(strange):6}"
    )


async def measure(folders, scratch):
    embedder, weigher = await MiniLmEmbedder.open(scratch / "models"), Bm25TermWeigher()
    catalog = Catalog(scratch / "engine")
    server = build_engine(catalog)
    target = f"unix:{scratch}/run/engine.sock"
    await start_engine(server, target)
    index = EdgeVectorIndex(target, Generation(embedder.model, embedder.dimensions))
    searcher = Searcher(embedder, weigher, index, AllVisible(), frozenset({"en"}))
    found = defaultdict(list)
    for folder in folders:
        tenant = str(uuid.uuid5(SPACE, folder.name))
        await fill(searcher, read_rows(folder / "corpus.jsonl"), tenant)
        found[folder.name] = [await ask(searcher, tenant, row) for row in read_rows(folder / "queries.jsonl")]
    await index.close()
    await server.stop(0)
    await catalog.close()
    await embedder.close()
    return found


def main():
    root, *chosen = sys.argv[1:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folders = sorted(path.parent for path in Path(root).glob("*/corpus.jsonl"))
    with tempfile.TemporaryDirectory(prefix="evals-") as scratch:
        found = asyncio.run(measure([one for one in folders if not chosen or one.name in chosen], Path(scratch)))
    print("            right    in top8  wrongly  off-topic  characters  asked  off-topic")
    print("                              refused  refused    an answer")
    for language, outcomes in found.items():
        report(language, outcomes)
        report("  train", [one for one in outcomes if one.is_train])
        report("  test", [one for one in outcomes if not one.is_train])


if __name__ == "__main__":
    main()
