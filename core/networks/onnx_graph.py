"""ONNX graphs of our networks, node by node, with the weights of a weight file.

Everything inside a graph is channels first, (N, C, H, W), as ONNX' convolutions want it; :meth:`OnnxGraph.faces` and
:meth:`OnnxGraph.give` turn pictures from and to the (N, H, W, C) of the rest of the program. Each method adds the nodes of one
layer of :mod:`core.nn.layers` or one function of :mod:`core.nn.operations`, which say where the mathematics comes from.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import FormatError, UserError

# Operator set and the version of the file format that belongs to it: old enough for every runtime that live programs carry.
OPSET, IR_VERSION = 13, 7
LARGEST_FILE = 2**31 - 2**20  # what protocol buffers hold, with some room for the nodes
PIXEL_NORM_EPSILON = 1e-6
_FLOAT32, _FLOAT16 = 1, 10  # numbers of types in ONNX' files
NORM_EPSILON = 1e-5


class OnnxGraph:
    """A graph in the making. Values in it are named by texts.

    Parameters
    ----------
    name : str
    opset : int
        Version of ONNX' operators.
    half : bool
        Compute convolutions and what lies between them in half precision; codes, norms and results stay in float32.
    """

    def __init__(self, name: str, opset: int = OPSET, half: bool = False):
        from onnx import helper

        self._helper = helper
        self.name = name
        self.opset = opset
        self.half = half
        self._half_values: set = set()
        self._nodes: list = []
        self._constants: list = []
        self._inputs: list = []
        self._outputs: list = []
        self._count = 0

    def take(self, name: str, shape: Sequence[int | str | None]) -> str:
        """An input of float32; a text in the shape names a free dimension."""
        self._inputs.append(self._helper.make_tensor_value_info(name, 1, shape))
        return name

    def faces(self, name: str, size: int | None, channels: int = 3) -> str:
        """Input of pictures (N, size, size, channels) as (N, channels, size, size); ``size`` None leaves the sides free."""
        sides = ("height", "width") if size is None else (size, size)
        return self.node("Transpose", self.take(name, ("N", *sides, channels)), perm=(0, 3, 1, 2))

    def give(self, name: str, value: str, shape: Sequence[int | str | None] | None = None) -> None:
        """Make (N, C, H, W) an output (N, H, W, C); ``shape`` is that of the output, free if left out."""
        value = self.wide(value)
        self._nodes.append(self._helper.make_node("Transpose", [value], [name], perm=(0, 2, 3, 1)))
        self._outputs.append(self._helper.make_tensor_value_info(name, 1, shape or ("N", None, None, None)))

    def give_vectors(self, name: str, value: str) -> None:
        """Make (N, d) an output."""
        self._nodes.append(self._helper.make_node("Identity", [self.wide(value)], [name]))
        self._outputs.append(self._helper.make_tensor_value_info(name, 1, ("N", None)))

    def order_outputs(self, names: Sequence[str]) -> None:
        """Put the outputs into this order, for programs that fetch them by place."""
        self._outputs.sort(key=lambda output: list(names).index(output.name))

    def node(self, kind: str, *inputs: str, **attributes) -> str:
        """Add a node with one output; returns the output's name."""
        self._count += 1
        output = f"{kind}_{self._count}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [output], **attributes))
        if not self._half_values.isdisjoint(inputs):
            self._half_values.add(output)
        return output

    def wide(self, x: str) -> str:
        """The value in float32."""
        if x not in self._half_values:
            return x
        wide = self.node("Cast", x, to=_FLOAT32)
        self._half_values.remove(wide)
        return wide

    def narrow(self, x: str) -> str:
        """The value in half precision where the graph computes in it, else as it is."""
        if not self.half or x in self._half_values:
            return x
        narrow = self.node("Cast", x, to=_FLOAT16)
        self._half_values.add(narrow)
        return narrow

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """A constant tensor."""
        from onnx import numpy_helper

        self._count += 1
        name = f"constant_{self._count}"
        array = np.ascontiguousarray(values, dtype)
        self._constants.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
        return name

    def to_bytes(
        self, properties: Mapping[str, str] | None = None, name: str | None = None, description: str = ""
    ) -> bytes:
        """The finished graph as the content of an ``.onnx`` file.

        Raises
        ------
        UserError
            When it is larger than such a file can be, 2 GiB.
        """
        graph = self._helper.make_graph(self._nodes, name or self.name, self._inputs, self._outputs, self._constants)
        graph.doc_string = description
        model = self._helper.make_model(graph, opset_imports=[self._helper.make_opsetid("", self.opset)])
        model.ir_version = IR_VERSION
        model.producer_name = ""
        self._helper.set_model_props(model, dict(properties or {}))
        if sum(constant.ByteSize() for constant in self._constants) >= LARGEST_FILE:
            raise UserError(
                f"{self.name}: its weights are larger than the 2 GiB that an ONNX file can hold. Run it with --engine tensorflow."
            )
        return model.SerializeToString()

    # Operations without weights.

    def leaky_relu(self, x: str, slope: float) -> str:
        """max(x, slope * x)."""
        return self.node("LeakyRelu", x, alpha=slope)

    def cosine_unit(self, x: str, slope: float) -> str:
        """x * cos(x), the activation of architectures with letter c; takes a slope as :meth:`leaky_relu` does."""
        del slope
        return self.node("Mul", x, self.node("Cos", x))

    def sigmoid(self, x: str) -> str:
        """1 / (1 + exp(-x)), in float32."""
        return self.node("Sigmoid", self.wide(x))

    def add(self, a: str, b: str) -> str:
        """a + b."""
        return self.node("Add", a, b)

    def concat(self, *parts: str, axis: int = 1) -> str:
        """Join along the channels."""
        return self.node("Concat", *parts, axis=axis)

    def depth_to_space(self, x: str, block_size: int = 2) -> str:
        """See :func:`core.nn.operations.depth_to_space`."""
        return self.node("DepthToSpace", x, blocksize=block_size, mode="DCR")

    def flatten(self, x: str) -> str:
        """(N, C, H, W) to (N, C*H*W)."""
        return self.node("Flatten", self.wide(x), axis=1)

    def unflatten(self, x: str, channels: int, height: int, width: int) -> str:
        """(N, C*H*W) to (N, C, H, W)."""
        return self.node("Reshape", x, self.constant((-1, channels, height, width), np.int64))

    def pixel_norm(self, x: str, axis: int = 1) -> str:
        """Divide by the root mean square along ``axis``."""
        power = self._mean(self.node("Mul", x, x), (axis,))
        return self.node("Div", x, self.node("Sqrt", self.add(power, self.constant(PIXEL_NORM_EPSILON))))

    def average_pool(self, x: str) -> str:
        """Mean of 2 x 2 pixels."""
        return self.node("AveragePool", x, kernel_shape=(2, 2), strides=(2, 2))

    def max_pool(self, x: str) -> str:
        """Largest of 2 x 2 pixels."""
        return self.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))

    def upsample(self, x: str) -> str:
        """Repeat every pixel 2 x 2 times."""
        return self._resize(x, mode="nearest", nearest_mode="floor")

    def resize_bilinear(self, x: str) -> str:
        """Double the size on TensorFlow 1's grid, source = index / 2."""
        return self._resize(x, mode="linear")

    def blur_pool(self, x: str, channels: int, filter_size: int) -> str:
        """See :class:`core.nn.layers.BlurPool`."""
        row = np.array([math.comb(filter_size - 1, index) for index in range(filter_size)], np.float32)
        kernel = np.tile(np.outer(row, row) / row.sum() ** 2, (channels, 1, 1, 1))
        before, after = (filter_size - 1) // 2, filter_size // 2
        pads = (before, before, after, after)
        return self.node("Conv", x, self.constant(kernel), strides=(2, 2), pads=pads, group=channels)

    def _resize(self, x, **attributes):
        empty = self.constant(np.zeros(0))
        scales = self.constant((1, 1, 2, 2))
        return self.node("Resize", x, empty, scales, coordinate_transformation_mode="asymmetric", **attributes)

    def _mean(self, x, axes):
        if self.opset >= 18:
            return self.node("ReduceMean", x, self.constant(axes, np.int64), keepdims=1)
        return self.node("ReduceMean", x, axes=axes, keepdims=1)


class WeightedGraph:
    """The layers of one network in a graph, each named by the path of its weights.

    Parameters
    ----------
    graph : OnnxGraph
    weights : mapping
        Content of a weight file (:func:`core.networks.weight_files.read_weights`).
    source
        The file, named in errors.
    """

    def __init__(self, graph: OnnxGraph, weights: Mapping[str, np.ndarray], source: str):
        self.graph = graph
        self._weights = weights
        self._source = source

    def weight(self, path: str) -> np.ndarray:
        """One array in float32.

        Raises
        ------
        FormatError
            When the file does not hold it.
        """
        values = self._weights.get(f"{path}:0")
        if not isinstance(values, np.ndarray):
            raise FormatError(self._source, f"{path}:0 is missing: the file belongs to another network")
        return np.asarray(values, np.float32)

    def has(self, path: str) -> bool:
        """Whether the file holds an array of this path."""
        return f"{path}:0" in self._weights

    def convolution(
        self, x: str, path: str, strides: int = 1, padding: int | None = None, kernel: np.ndarray | None = None
    ) -> str:
        """:class:`core.nn.layers.Conv2D` of these weights; ``kernel`` may give (kernel, bias) in their place."""
        weight, bias = kernel or (self._kernel(path), self.weight(f"{path}/bias") if self.has(f"{path}/bias") else None)
        size = weight.shape[0]
        pad = size // 2 if padding is None else padding
        dtype = np.float16 if self.graph.half else np.float32
        inputs = [self.graph.constant(weight.transpose(3, 2, 0, 1), dtype)]
        if bias is not None:
            inputs.append(self.graph.constant(bias, dtype))
        return self.graph.node(
            "Conv", self.graph.narrow(x), *inputs, strides=(strides,) * 2, pads=(pad,) * 4, kernel_shape=(size, size)
        )

    def transposed_convolution(self, x: str, path: str, strides: int = 2) -> str:
        """:class:`core.nn.layers.Conv2DTranspose` with TensorFlow's padding 'SAME'."""
        weight = self._kernel(path)
        growth = max(weight.shape[0] - strides, 0)
        before, after = growth // 2, growth - growth // 2
        inputs = [self.graph.constant(weight.transpose(3, 2, 0, 1)), self.graph.constant(self.weight(f"{path}/bias"))]
        return self.graph.node(
            "ConvTranspose", x, *inputs, strides=(strides,) * 2, pads=(before, before, after, after)
        )  # fmt: skip

    def dense(self, x: str, path: str) -> str:
        """:class:`core.nn.layers.Dense`."""
        weight, x = self.weight(f"{path}/weight"), self.graph.wide(x)
        if self.has(f"{path}/bias"):
            return self.graph.node(
                "Gemm", x, self.graph.constant(weight), self.graph.constant(self.weight(f"{path}/bias"))
            )
        return self.graph.node("MatMul", x, self.graph.constant(weight))

    def response_norm(self, x: str, path: str) -> str:
        """:class:`core.nn.layers.FRNorm2D`."""
        graph = self.graph
        power = graph._mean(graph.node("Mul", x, x), (2, 3))
        root = graph.node(
            "Sqrt", graph.add(power, graph.constant(np.abs(self.weight(f"{path}/eps")).reshape(1, 1, 1, 1)))
        )
        scale = graph.node("Div", self._channels(f"{path}/weight"), root)
        return graph.add(graph.node("Mul", x, scale), self._channels(f"{path}/bias"))

    def thresholded_unit(self, x: str, path: str) -> str:
        """:class:`core.nn.layers.TLU`."""
        return self.graph.node("Max", x, self._channels(f"{path}/tau"))

    def batch_norm(self, x: str, path: str) -> str:
        """:class:`core.nn.layers.BatchNorm2D`, folded into one factor and one summand a channel."""
        scale = self.weight(f"{path}/weight") / np.sqrt(self.weight(f"{path}/running_var") + np.float32(NORM_EPSILON))
        shift = self.weight(f"{path}/bias") - self.weight(f"{path}/running_mean") * scale
        factor, summand = (self.graph.constant(values.reshape(1, -1, 1, 1)) for values in (scale, shift))
        return self.graph.add(self.graph.node("Mul", x, factor), summand)

    def unit_length(self, x: str, path: str) -> str:
        """:class:`core.nn.layers.L2Norm`."""
        graph = self.graph
        power = graph.node("ReduceSum", graph.node("Mul", x, x), graph.constant((1,), np.int64), keepdims=1)
        length = graph.add(graph.node("Sqrt", power), graph.constant(1e-10))
        return graph.node("Mul", graph.node("Div", x, length), self._channels(f"{path}/weight"))

    def _kernel(self, path):
        weight = self.weight(f"{path}/weight")
        if weight.ndim != 4:
            raise FormatError(self._source, f"{path}/weight:0 has the shape {weight.shape}, a kernel was expected")
        return weight

    def _channels(self, path):
        return self.graph.constant(self.weight(path).reshape(1, -1, 1, 1))
