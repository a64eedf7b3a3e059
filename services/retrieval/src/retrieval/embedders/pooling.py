"""Joins the vectors of the parts of a text into the vector of the text."""

from collections.abc import Sequence

import numpy as np

from retrieval.model import Vector


def normalise(vector: Vector) -> Vector:
    """Returns the unit vector of the same direction; a zero vector stays what it is."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, dtype=np.float32)


def combine(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    """Returns the weighted mean of the vectors' directions as a unit vector."""
    directions = np.stack([normalise(vector) for vector in vectors])
    return normalise(np.average(directions, axis=0, weights=weights))
