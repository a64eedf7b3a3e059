"""Sends texts of any length to a provider that takes so much at a time."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.model import Vector

EmbedBatch = Callable[[Sequence[str]], Awaitable[list[Vector]]]


@dataclass(frozen=True)
class Limits:
    """What a provider takes. No token is shorter than a byte, so bytes bound tokens for certain."""

    piece_bytes: int
    batch_bytes: int
    batch_texts: int


async def embed_in_pieces(texts: Sequence[str], limits: Limits, embed_batch: EmbedBatch) -> list[Vector]:
    """Returns one unit vector per text, in order.

    A text over the limit is embedded piece by piece; its vector is their mean by length.
    """
    split = [split_text(text, limits.piece_bytes) for text in texts]
    vectors: list[Vector] = []
    for batch in group_batches([piece for pieces in split for piece in pieces], limits):
        vectors.extend(await embed_batch(batch))
    found = iter(vectors)
    return [combine([next(found) for _ in pieces], [len(piece) for piece in pieces]) for pieces in split]


def split_text(text: str, limit: int) -> list[str]:
    """Returns pieces of at most limit bytes of UTF-8 that join to the text, cut after spaces where there are any."""
    pieces = []
    rest = text
    while len(rest.encode()) > limit:
        longest = len(rest.encode()[:limit].decode(errors="ignore"))
        space = max(rest.rfind(separator, 0, longest) for separator in (" ", "\n"))
        cut = space + 1 or longest
        pieces.append(rest[:cut])
        rest = rest[cut:]
    # Providers refuse an empty text, and its vector must come from somewhere.
    return [*pieces, rest or " "] if rest or not pieces else pieces


def group_batches(pieces: Sequence[str], limits: Limits) -> Iterator[list[str]]:
    """Yields the pieces in order, as many at a time as the limits allow."""
    batch: list[str] = []
    size = 0
    for piece in pieces:
        length = len(piece.encode())
        if batch and (len(batch) == limits.batch_texts or size + length > limits.batch_bytes):
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += length
    if batch:
        yield batch


def normalise(vector: Vector) -> Vector:
    """Returns the unit vector of the same direction; a zero vector stays what it is."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, dtype=np.float32)


def combine(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    """Returns the weighted mean of the vectors' directions as a unit vector."""
    directions = np.stack([normalise(vector) for vector in vectors])
    return normalise(np.average(directions, axis=0, weights=weights))
