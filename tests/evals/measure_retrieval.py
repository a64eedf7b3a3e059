"""Measures retrieval on a collection in BEIR's layout: `python tests/evals/measure_retrieval.py FOLDER`.

FOLDER holds corpus.jsonl, queries.jsonl and qrels/test.tsv. Every document is
embedded, stored in the real engine behind its socket, and searched through the
real adapter. Prints nDCG@10 (Järvelin and Kekäläinen 2002) of each leg alone,
of plain reciprocal rank fusion, and of the order that a search returns.
"""

import asyncio
import json
import math
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from pathlib import Path

from retrieval.embedders.bm25 import Bm25TermWeigher
from retrieval.embedders.minilm import MiniLmEmbedder
from retrieval.engine.catalog import Catalog
from retrieval.engine.server import build_engine, start_engine
from retrieval.model import Chunk, DocumentVersion, Point, Scope
from retrieval.search.fusion import fuse
from retrieval.search.leg_weights import BOTH_LEGS
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Generation

CANDIDATES = 50
TENANT = str(uuid.uuid4())
SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "evaluation")


def read_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_judgements(path):
    """Returns query id -> {document id: grade}."""
    judged = defaultdict(dict)
    for line in path.read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        judged[query][document] = int(grade)
    return judged


def score(order, grades):
    """Returns nDCG@10 of document ids, best first."""
    gains = [grades.get(document, 0) / math.log2(rank + 2) for rank, document in enumerate(order[:10])]
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:10]
    ideal = sum(grade / math.log2(rank + 2) for rank, grade in enumerate(best))
    return sum(gains) / ideal if ideal else 0.0


def fuse_ranks(legs, constant=60):
    totals = defaultdict(float)
    for leg in legs:
        for rank, document in enumerate(leg):
            totals[document] += 1 / (constant + rank + 1)
    return sorted(totals, key=totals.__getitem__, reverse=True)


def to_point(row, vector, weigher):
    text = f"{row.get('title', '')}\n{row['text']}".strip()
    version = DocumentVersion(TENANT, row["_id"], row["_id"], "all", "", row["_id"], row.get("title", ""), "en")
    chunk = Chunk(0, text, 0, len(text), 0, 0)
    return Point(str(uuid.uuid5(SPACE, row["_id"])), version, chunk, vector, weigher.weigh_passage(text, "en"))


async def fill(index, embedder, weigher, rows):
    started = time.monotonic()
    vectors = await embedder.embed_passages([f"{row.get('title', '')}\n{row['text']}".strip() for row in rows])
    await index.upsert([to_point(row, vector, weigher) for row, vector in zip(rows, vectors, strict=True)])
    print(f"{len(rows)} documents indexed in {time.monotonic() - started:.1f} s")


async def rank(index, embedder, weigher, text):
    """Returns the order of each way to rank, by name."""
    dense = await embedder.embed_query(text)
    orders = {}
    for name, language in (("BM25, language given", "en"), ("BM25", "")):
        found = await index.match(Scope(TENANT, ""), dense, weigher.weigh_query(text, language), CANDIDATES)
        orders[name] = [match.version_id for match in found.sparse]
    orders["dense"] = [match.version_id for match in found.dense]
    orders["RRF(60)"] = fuse_ranks([orders["dense"], orders["BM25"]])
    orders["as searched"] = [match.version_id for match in fuse(found, BOTH_LEGS)]
    return orders


async def measure(folder, scratch):
    embedder, weigher = await MiniLmEmbedder.open(scratch / "models"), Bm25TermWeigher()
    catalog = Catalog(scratch / "engine")
    server = build_engine(catalog)
    target = f"unix:{scratch}/run/engine.sock"
    await start_engine(server, target)
    index = EdgeVectorIndex(target, Generation(embedder.model, embedder.dimensions))
    await fill(index, embedder, weigher, read_rows(folder / "corpus.jsonl"))
    judged = read_judgements(folder / "qrels" / "test.tsv")
    scores = defaultdict(list)
    for row in read_rows(folder / "queries.jsonl"):
        if row["_id"] in judged:
            for name, order in (await rank(index, embedder, weigher, row["text"])).items():
                scores[name].append(score(order, judged[row["_id"]]))
    for name, values in scores.items():
        print(f"nDCG@10 {sum(values) / len(values):.3f}  {name} ({len(values)} queries)")
    await index.close()
    await server.stop(0)
    await catalog.close()
    await embedder.close()


def main():
    with tempfile.TemporaryDirectory(prefix="evals-") as scratch:
        asyncio.run(measure(Path(sys.argv[1]), Path(scratch)))


if __name__ == "__main__":
    main()
