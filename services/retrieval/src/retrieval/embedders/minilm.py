"""all-MiniLM-L6-v2 through onnxruntime, in this process."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]  # ships no types
from tokenizers import Tokenizer

from retrieval.embedders.lanes import BULK_NICENESS, Lane, count_processors
from retrieval.embedders.minilm_cache import open_graph
from retrieval.embedders.minilm_shape import MODEL_NAME, WIDTH, WINDOW, find_model_folder
from retrieval.embedders.pieces import combine
from retrieval.embedders.token_windows import split_windows
from retrieval.model import Vector

# Characters that are tokenised in less time than a thread's way there and back takes.
SHORT = 250
TokenIds = npt.NDArray[np.int64]


class MiniLmEmbedder:
    """Vectors of 384 numbers, from windows of at most 256 word-pieces.

    A longer text is embedded window by window, and its vector is their mean by length.
    One session serves every thread, each run on the thread that asks for it; bulk threads
    have a lower priority, so a query never waits for more than its share of a processor.
    """

    def __init__(self, graph: Path | bytes, *, bulk_threads: int = 0) -> None:
        folder = find_model_folder()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._start, self._end = (self._tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
        self._session = _open_session(graph)
        processors = count_processors()
        self._bulk = Lane("embed-bulk", threads=bulk_threads or processors, niceness=BULK_NICENESS)
        self._queries = Lane("embed-query", threads=processors)

    @classmethod
    async def open(cls, cache: Path, *, bulk_threads: int = 0) -> Self:
        """Loads the model; the first time its graph is built and kept in the folder cache.

        bulk_threads is how many processors bulk work may use, all of them if 0.
        """
        graph = await open_graph(cache)
        return await asyncio.to_thread(cls, graph, bulk_threads=bulk_threads)

    @property
    def model(self) -> str:
        """The model's name."""
        return MODEL_NAME

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        return WIDTH

    async def embed_query(self, text: str) -> Vector:
        """Returns the unit vector of a query."""
        return await self._embed(text, self._queries)

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Returns one unit vector per text, in order."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._embed(text, self._bulk)) for text in texts]
        return [task.result() for task in tasks]

    async def close(self) -> None:
        """Ends the threads."""
        await self._bulk.close()
        await self._queries.close()

    async def _embed(self, text: str, lane: Lane) -> Vector:
        windows = self._tokenise(text) if len(text) <= SHORT else await lane.run(partial(self._tokenise, text))
        vectors = [await lane.run(partial(self._run, window)) for window in windows]
        return combine(vectors, [window.shape[1] for window in windows])

    def _tokenise(self, text: str) -> list[TokenIds]:
        pieces = self._tokenizer.encode(text, add_special_tokens=False)
        ids = pieces.ids
        ranges = split_windows(pieces.tokens, WINDOW - 2)
        return [np.array([[self._start, *ids[r.start : r.stop], self._end]], dtype=np.int64) for r in ranges]

    def _run(self, window: TokenIds) -> Vector:
        (vectors,) = self._session.run(None, {"input_ids": window})
        return np.asarray(vectors[0], dtype=np.float32)


def _open_session(graph: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Whole windows side by side fill the processors better than one window cut up between threads.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    source = str(graph) if isinstance(graph, Path) else graph
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
