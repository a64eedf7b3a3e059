"""The embedders of providers, against a local server that speaks their wire formats."""

import base64
import json
import threading
import time
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from structlog.testing import capture_logs

from retrieval.embedders.gemini import GeminiEmbedder
from retrieval.embedders.openai import OpenAIEmbedder
from retrieval.embedders.pieces import Limits, group_batches, split_text
from retrieval.embedders.retry import BoundedRetryPolicy
from retrieval.errors import EmbedderRefused, EmbedderUnavailable

QUICK = BoundedRetryPolicy(first_limit=0.001, longest_wait=0.2, total_seconds=3)
LENGTH = 6


def vector_of(text):
    """Any function of the text does; this one tells texts apart."""
    made = np.zeros(LENGTH, dtype=np.float32)
    made[len(text) % LENGTH] = 2
    made[0] += 0.5
    return made


class Provider:
    """Answers embeddings as OpenAI and Gemini do; `failures` are answered first."""

    def __init__(self):
        self.requests = []
        self.failures = []
        self.reverse = False
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {key.lower(): value for key, value in self.headers.items()}
                provider.requests.append((self.path, headers, body))
                status, headers, answer = provider.answer(self.path, body)
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for key, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(key, value)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path, body):
        if self.failures:
            failure = self.failures.pop(0)
            return failure() if callable(failure) else failure
        return 200, {}, self.speak_openai(body) if path.endswith("/embeddings") else self.speak_gemini(body)

    def speak_openai(self, body):
        rows = []
        for index, text in enumerate(body["input"]):
            vector = vector_of(text)
            coded = base64.b64encode(vector.tobytes()).decode()
            embedding = coded if body.get("encoding_format") == "base64" else vector.tolist()
            rows.append({"object": "embedding", "index": index, "embedding": embedding})
        rows = rows[::-1] if self.reverse else rows
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return {"object": "list", "data": rows, "model": body["model"], "usage": usage}

    def speak_gemini(self, body):
        texts = [request["content"]["parts"][0]["text"] for request in body["requests"]]
        return {"embeddings": [{"values": vector_of(text).tolist()} for text in texts]}

    @property
    def texts(self):
        found = []
        for _, _, body in self.requests:
            found.append(body.get("input") or [row["content"]["parts"][0]["text"] for row in body["requests"]])
        return found


@pytest.fixture
def provider():
    made = Provider()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@asynccontextmanager
async def open_openai(provider, **options):
    options = {"api_key": "sk-test", "model": "some-model", "dimensions": LENGTH, "policy": QUICK} | options
    embedder = await OpenAIEmbedder.open(base_url=f"{provider.url}/v1", **options)
    yield embedder
    await embedder.close()


@asynccontextmanager
async def open_gemini(provider, **options):
    options = {"api_key": "g-test", "model": "gemini-embedding-001", "dimensions": LENGTH, "policy": QUICK} | options
    embedder = GeminiEmbedder.open(base_url=provider.url, **options)
    yield embedder
    await embedder.close()


BOTH = pytest.mark.parametrize("connect", [open_openai, open_gemini], ids=["openai", "gemini"])


def unit(vector):
    return vector / np.linalg.norm(vector)


@BOTH
async def test_texts_become_unit_vectors_in_order(connect, provider):
    texts = ["a", "bb", "سلام", "dddd\n"]
    provider.reverse = True
    async with connect(provider) as embedder:
        vectors = await embedder.embed_passages(texts)
        assert np.allclose(await embedder.embed_query("bb"), unit(vector_of("bb")))
    assert embedder.dimensions == LENGTH
    assert all(vector.dtype == np.float32 for vector in vectors)
    assert np.allclose(vectors, [unit(vector_of(text)) for text in texts])


async def test_openai_gets_the_model_the_key_and_a_length_only_where_it_differs(provider):
    async with open_openai(provider) as embedder:
        await embedder.embed_query("a")
        assert embedder.model == "some-model"
    path, headers, body = provider.requests[0]
    assert (path, headers["authorization"]) == ("/v1/embeddings", "Bearer sk-test")
    assert (body["model"], body["dimensions"]) == ("some-model", LENGTH)
    async with open_openai(provider, model="text-embedding-3-small", dimensions=0) as embedder:
        assert embedder.dimensions == 1536
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_query("a")
    assert "dimensions" not in provider.requests[-1][2]


async def test_the_length_of_an_unknown_openai_model_is_asked_for(provider):
    async with open_openai(provider, dimensions=0, api_key="") as embedder:
        assert embedder.dimensions == LENGTH
    assert len(provider.requests) == 1


async def test_gemini_embeds_questions_and_passages_for_their_part(provider):
    async with open_gemini(provider) as embedder:
        await embedder.embed_query("a")
        await embedder.embed_passages(["b"])
        assert embedder.model == "gemini-embedding-001"
    tasks = [body["requests"][0]["taskType"] for _, _, body in provider.requests]
    assert tasks == ["RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"]
    path, headers, body = provider.requests[0]
    assert path.endswith("/models/gemini-embedding-001:batchEmbedContents")
    assert headers["x-goog-api-key"] == "g-test"
    assert body["requests"][0]["outputDimensionality"] == LENGTH


@BOTH
async def test_no_request_is_larger_than_the_provider_takes(connect, provider):
    async with connect(provider) as embedder:
        assert len(await embedder.embed_passages([f"text {i}" for i in range(300)])) == 300
        assert await embedder.embed_passages([]) == []
    largest = 256 if connect is open_openai else 100
    sizes = [len(batch) for batch in provider.texts]
    assert (max(sizes), sum(sizes)) == (largest, 300)


@BOTH
async def test_a_long_text_is_sent_in_pieces_and_none_of_it_is_lost(connect, provider):
    text = "سلام دنیا hello " * 1500
    async with connect(provider) as embedder:
        (vector,) = await embedder.embed_passages([text])
    pieces = [piece for batch in provider.texts for piece in batch]
    assert "".join(pieces) == text
    assert max(len(piece.encode()) for piece in pieces) <= (8000 if connect is open_openai else 2000)
    mean = sum(len(piece) * unit(vector_of(piece)) for piece in pieces)
    assert np.allclose(vector, unit(mean), atol=1e-5)


@BOTH
@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass_is_tried_again(connect, provider, status):
    provider.failures = [(status, {}, {"error": {"message": "later", "code": status}})] * 2
    async with connect(provider) as embedder:
        await embedder.embed_query("a")
    assert len(provider.requests) == 3


@BOTH
async def test_three_attempts_are_all_there_are(connect, provider):
    provider.failures = [(503, {}, {"error": {"message": "no"}})] * 9
    async with connect(provider) as embedder:
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_passages(["a"])
    assert len(provider.requests) == 3


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_a_refusal_is_said_to_be_one_and_not_tried_again(connect, provider, status):
    provider.failures = [(status, {}, {"error": {"message": "your key sk-secret"}})] * 9
    async with connect(provider) as embedder:
        with pytest.raises(EmbedderRefused) as caught:
            await embedder.embed_query("a")
    assert len(provider.requests) == 1
    assert caught.value.code == "FAILED_PRECONDITION"
    assert caught.value.metadata == {"status": str(status)}
    assert "sk-secret" not in caught.value.message


async def test_gemini_is_asked_for_and_not_vertex_whatever_the_environment_says(provider, monkeypatch):
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "somebody-elses")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "here")
    async with open_gemini(provider) as embedder:
        await embedder.embed_query("a")
    path, headers, _ = provider.requests[0]
    assert path.endswith("/models/gemini-embedding-001:batchEmbedContents")
    assert headers["x-goog-api-key"] == "g-test"


@BOTH
async def test_an_answer_larger_than_any_is_not_read_to_its_end(connect, provider, monkeypatch):
    monkeypatch.setattr("retrieval.embedders.retry.MAX_RESPONSE_BYTES", 500)
    async with connect(provider) as embedder:
        await embedder.embed_query("a")
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_passages(["a"] * 50)


@BOTH
async def test_retry_after_is_waited_out_where_it_is_short(connect, provider):
    provider.failures = [(429, {"retry-after": "0.15"}, {"error": {"message": "slow down"}})]
    async with connect(provider) as embedder:
        started = time.monotonic()
        await embedder.embed_query("a")
        assert 0.15 <= time.monotonic() - started < 5


@BOTH
async def test_a_provider_that_wants_a_long_rest_is_not_asked_again(connect, provider):
    provider.failures = [(429, {"retry-after": "3600"}, {"error": {"message": "slow down"}})]
    async with connect(provider) as embedder:
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_query("a")
    assert len(provider.requests) == 1


@BOTH
async def test_a_provider_that_hangs_or_is_away_is_unavailable(connect, provider):
    provider.failures = [lambda: (time.sleep(2), (200, {}, {}))[1]]
    async with connect(provider, policy=BoundedRetryPolicy(total_seconds=0.2)) as embedder:
        started = time.monotonic()
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_query("a")
        assert time.monotonic() - started < 1.5
    away = Provider()
    away.server.server_close()
    async with connect(away) as embedder:
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_query("a")


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        {
            "object": "list",
            "data": [],
            "model": "m",
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
            "embeddings": [],
        },
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [1.0, 2.0]}],
            "model": "m",
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
            "embeddings": [{"values": [1.0, 2.0]}],
        },
    ],
    ids=["none", "too short"],
)
async def test_vectors_that_do_not_fit_are_never_used(connect, provider, answer):
    provider.failures = [(200, {}, answer)] * 9
    async with connect(provider) as embedder:
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_passages(["a"])


@pytest.mark.parametrize("broken", [b"<html>oops</html>", b"{", b'{"data": 7}'])
@BOTH
async def test_an_answer_that_cannot_be_read_is_unavailable(connect, provider, broken):
    provider.failures = [(200, {}, broken)] * 9
    async with connect(provider) as embedder:
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed_query("a")


@pytest.mark.parametrize("text", ["", " ", "a", "one two three four", "x" * 50, "سلام‌دنیا" * 9, "🦊" * 20, "a\n" * 30])
def test_pieces_join_to_the_text_and_keep_the_limit(text):
    pieces = split_text(text, 16)
    assert "".join(pieces).strip() == text.strip()
    assert all(0 < len(piece.encode()) <= 16 for piece in pieces)


def test_pieces_end_after_a_space_where_there_is_one():
    assert split_text("one two three four", 10) == ["one two ", "three four"]


def test_batches_keep_both_limits_and_the_order():
    limits = Limits(piece_bytes=10, batch_bytes=10, batch_texts=3)
    pieces = ["aaaa", "bbbb", "cccc", "d", "e", "f", "gggggggggg"]
    batches = list(group_batches(pieces, limits))
    assert batches == [["aaaa", "bbbb"], ["cccc", "d", "e"], ["f"], ["gggggggggg"]]


async def test_a_refused_connection_names_the_address_in_the_log_and_no_secret():
    # Nobody listens on port 1.
    url = "http://user:hunter2@127.0.0.1:1/v1"
    embedder = await OpenAIEmbedder.open(api_key="sk-1", base_url=url, model="m", dimensions=LENGTH, policy=QUICK)
    with capture_logs() as lines, pytest.raises(EmbedderUnavailable):
        await embedder.embed_query("word")
    await embedder.close()
    assert [line["url"] for line in lines if line["event"] == "embedding failed"] == [
        "http://127.0.0.1:1/v1/embeddings"
    ]
    assert "hunter2" not in str(lines)
