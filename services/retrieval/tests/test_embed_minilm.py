"""The local model: against a plain numpy forward pass, and on texts of any length."""

import asyncio
import math
import os
import shutil
import sys
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from retrieval.embedders import minilm_cache
from retrieval.embedders.lanes import Lane, count_processors
from retrieval.embedders.minilm import MiniLmEmbedder
from retrieval.embedders.minilm_cache import locate_graph, open_graph, write_graph
from retrieval.embedders.minilm_shape import find_model_folder
from retrieval.embedders.pieces import combine, normalise
from retrieval.embedders.token_windows import split_windows

SENTENCE = "The owner of a copyright may forbid others to copy the work. "


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def embedder(cache):
    made = await MiniLmEmbedder.open(cache)
    yield made
    await made.close()


class Reference:
    """BERT and mean pooling in numpy, written from the papers and not from the graph."""

    def __init__(self):
        folder = find_model_folder()
        self.weights = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def embed(self, text):
        ids = self.tokenizer.encode(text).ids
        words, places, segments = (
            self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")
        )
        hidden = self.normalise(words[ids] + places[: len(ids)] + segments[0], "embeddings.LayerNorm")
        for number in range(6):
            hidden = self.transform(hidden, f"encoder.layer.{number}")
        mean = hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def transform(self, hidden, layer):
        query, key, value = (
            self.linear(hidden, f"{layer}.attention.self.{part}").reshape(-1, 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(32)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = (weights @ value).transpose(1, 0, 2).reshape(-1, 384)
        attended = self.linear(mixed, f"{layer}.attention.output.dense")
        hidden = self.normalise(hidden + attended, f"{layer}.attention.output.LayerNorm")
        inner = self.linear(hidden, f"{layer}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        return self.normalise(hidden + self.linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")

    def linear(self, value, name):
        return value @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normalise(self, value, name):
        centred = value - value.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


@pytest.mark.parametrize("text", ["cat", "What is a trace tree?", "Die Straße, 日本語 & سلام!", SENTENCE * 18])
async def test_the_graph_computes_what_numpy_computes(embedder, text):
    (vector,) = await embedder.embed_passages([text])
    assert np.abs(vector - Reference().embed(text)).max() < 1e-4


async def test_vectors_are_unit_float32_of_the_announced_length(embedder):
    vectors = [await embedder.embed_query("a"), *await embedder.embed_passages(["", "   ", "word " * 900])]
    assert embedder.model == "all-minilm-l6-v2"
    for vector in vectors:
        assert vector.dtype == np.float32
        assert vector.shape == (embedder.dimensions,) == (384,)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


async def test_meaning_is_close_and_order_is_kept(embedder):
    texts = ["A cat sleeps on the sofa.", "The parliament passed a law.", "Kittens love to nap on couches."]
    vectors = await embedder.embed_passages(texts)
    question = await embedder.embed_query("sleeping cat")
    closeness = [float(question @ vector) for vector in vectors]
    assert min(closeness[0], closeness[2]) > closeness[1] + 0.2
    again = [(await embedder.embed_passages([text]))[0] for text in texts]
    assert np.allclose(vectors, again, atol=1e-6)


async def test_the_end_of_a_long_text_counts(embedder):
    long = SENTENCE * 60
    plain, ended = await embedder.embed_passages([long, long + "Penguins breed in Antarctica. " * 20])
    question = await embedder.embed_query("Where do penguins breed?")
    assert question @ ended > question @ plain + 0.1


async def test_a_long_text_is_the_mean_of_its_windows_by_length(embedder):
    text = SENTENCE * 30
    windows = embedder._tokenise(text)
    assert len(windows) > 1
    assert all(window.shape[1] <= 256 for window in windows)
    inner = [piece for window in windows for piece in window[0][1:-1]]
    assert inner == Reference().tokenizer.encode(text, add_special_tokens=False).ids
    expected = combine([embedder._run(window) for window in windows], [window.shape[1] for window in windows])
    assert np.allclose(await embedder.embed_query(text), expected, atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 253, 254, 255, 400, 508, 509, 5000])
def test_windows_cover_every_word_piece_once_and_are_as_few_as_fit(length):
    tokens = [("." if i % 17 == 16 else "##x" if i % 5 == 4 else "word") for i in range(length)]
    windows = split_windows(tokens, 254)
    assert [i for window in windows for i in window] == list(range(length))
    assert all(len(window) <= 254 for window in windows)
    assert len(windows) == max(1, math.ceil(length / 254))


def test_windows_end_with_a_sentence_where_one_ends_nearby():
    tokens = ["word"] * 130 + ["."] + ["word"] * 169
    assert split_windows(tokens, 254)[0] == range(131)


def test_windows_end_between_words_where_no_sentence_does():
    tokens = ["word", "##piece", "##s"] * 100
    windows = split_windows(tokens, 254)
    assert len(windows) > 1
    assert not any(tokens[window.start].startswith("##") for window in windows)


def test_one_endless_word_is_cut_all_the_same():
    assert split_windows(["##x"] * 300, 254) == [range(150), range(150, 300)]


def test_a_zero_vector_stays_zero():
    assert not normalise(np.zeros(3, dtype=np.float32)).any()


async def test_the_graph_is_built_once_and_kept(cache, tmp_path, monkeypatch):
    path = await open_graph(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    written = path.stat().st_mtime_ns
    assert await open_graph(tmp_path) == path
    assert path.stat().st_mtime_ns == written
    monkeypatch.setattr(minilm_cache, "REVISION", "another")
    assert locate_graph(tmp_path) != path


def test_the_graph_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_graph(tmp_path / "models", b"graph")
    assert not list((tmp_path / "models").iterdir())


async def test_a_build_that_fails_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(RuntimeError, match="exit code"):
        await open_graph(tmp_path / "models")


async def test_the_model_is_there_although_the_disk_of_its_cache_is_full(cache, small_disk):
    with small_disk(8) as disk:
        disk.fill(leaving=4 * 1024 * 1024)
        embedder = await MiniLmEmbedder.open(disk.folder / "models")
        vector = await embedder.embed_query("a heart")
        await embedder.close()
        assert list((disk.folder / "models").iterdir()) == []
    kept = await MiniLmEmbedder.open(cache)
    assert np.array_equal(vector, await kept.embed_query("a heart"))
    await kept.close()


async def test_a_folder_that_cannot_be_made_keeps_no_one_from_embedding(tmp_path):
    (tmp_path / "models").write_text("a file where the folder should be")
    assert isinstance(await open_graph(tmp_path / "models"), bytes)


async def test_a_build_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(minilm_cache, "BUILD_SECONDS", 0.01)
    with pytest.raises(TimeoutError):
        await open_graph(tmp_path)


def test_a_missing_model_package_is_named(monkeypatch):
    monkeypatch.setattr("retrieval.embedders.minilm_shape.MODEL_PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match="no_such_package"):
        find_model_folder()


async def test_queries_overtake_bulk_work(embedder, monkeypatch):
    begun, run = threading.Event(), embedder._run
    monkeypatch.setattr(embedder, "_run", lambda window: (begun.set(), run(window))[1])
    bulk = asyncio.create_task(embedder.embed_passages([SENTENCE * 60] * 200))
    assert await asyncio.to_thread(begun.wait, 10)
    await embedder.embed_query("Who may copy?")
    assert not bulk.done()
    bulk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bulk


async def test_the_event_loop_stays_free_while_bulk_work_runs(embedder):
    bulk = asyncio.create_task(embedder.embed_passages([SENTENCE * 60] * 8))
    gaps = []
    while not bulk.done():
        started = time.monotonic()
        await asyncio.sleep(0.005)
        gaps.append(time.monotonic() - started)
    assert sorted(gaps)[len(gaps) // 2] < 0.05
    assert len(await bulk) == 8


async def test_a_lane_holds_back_callers_beyond_its_room_and_drops_cancelled_work():
    lane = Lane("test", threads=1)
    ran = []
    tasks = [asyncio.create_task(lane.run(lambda i=i: (time.sleep(0.02), ran.append(i)))) for i in range(10)]
    await asyncio.sleep(0)  # all of them have asked for their turn
    for task in tasks[5:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await lane.close()
    assert ran == [0, 1, 2, 3, 4]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux keeps priorities per thread")
async def test_bulk_threads_have_a_lower_priority_and_others_keep_theirs():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    lane = Lane("test", threads=1, niceness=10)
    inside = await lane.run(lambda: os.getpriority(os.PRIO_PROCESS, 0))
    await lane.close()
    assert (inside, os.getpriority(os.PRIO_PROCESS, 0)) == (10, before)
    assert count_processors() >= 1
