"""ONNX graphs of the face networks: S3FD, FAN and the enhancer."""

import numpy as np

from core.networks.onnx_graph import OnnxGraph, WeightedGraph

S3FD_MEAN = (104.0, 117.0, 123.0)
FAN_STACKS, FAN_DEPTH = 4, 4
ENHANCER_LEVELS, ENHANCER_SLOPE = 5, 0.1


def s3fd_graph(weights: dict, source: str) -> OnnxGraph:
    """Pictures (N, H, W, 3) RGB 0…255 to the twelve maps of :class:`facelib.detectors.s3fd_network.S3fdNetwork`."""
    graph = OnnxGraph("S3FD")
    layers = WeightedGraph(graph, weights, source)
    mean = graph.constant(np.reshape(S3FD_MEAN, (1, 3, 1, 1)))
    taps = _s3fd_taps(graph, layers, graph.node("Sub", graph.faces("picture", None), mean))
    for level, (name, features) in enumerate(taps.items()):
        confidence = layers.convolution(features, f"{name}_mbox_conf")
        if level == 0:
            background = graph.node("ReduceMax", _channels(graph, confidence, 0, 3), axes=(1,), keepdims=1)
            confidence = graph.concat(background, _channels(graph, confidence, 3, 4))
        graph.give(f"confidence{level}", graph.node("Softmax", confidence, axis=1))
        graph.give(f"offsets{level}", layers.convolution(features, f"{name}_mbox_loc"))
    return graph


def fan_graph(weights: dict, source: str) -> OnnxGraph:
    """Faces (N, 256, 256, 3) RGB 0…1 to heat maps (N, 64, 64, 68)."""
    graph = OnnxGraph("FAN")
    layers = _FanLayers(graph, weights, source)
    x = graph.node("Relu", layers.batch_norm(layers.convolution(graph.faces("face", 256), "conv1", strides=2), "bn1"))
    x = graph.average_pool(layers.residual(x, "conv2"))
    x = layers.residual(layers.residual(x, "conv3"), "conv4")
    for stack in range(FAN_STACKS):
        features = layers.residual(layers.hourglass(x, f"m_{stack}", FAN_DEPTH), f"top_m_{stack}")
        features = layers.batch_norm(layers.convolution(features, f"conv_last_{stack}"), f"bn_end_{stack}")
        features = graph.node("Relu", features)
        heatmaps = layers.convolution(features, f"l_{stack}")
        if stack < FAN_STACKS - 1:
            x = graph.add(x, layers.convolution(features, f"bl_{stack}"))
            x = graph.add(x, layers.convolution(heatmaps, f"al_{stack}"))
    graph.give("heatmaps", heatmaps)
    return graph


def enhancer_graph(weights: dict, source: str) -> OnnxGraph:
    """Patches (N, H, W, 3) −1…1 and two numbers (N, 1) to patches (N, 4H, 4W, 3)."""
    graph = OnnxGraph("FaceEnhancer")
    layers = _EnhancerLayers(graph, weights, source)
    patch = graph.faces("patch", None)
    first, second = graph.take("first", ("N", 1)), graph.take("second", ("N", 1))
    shift = graph.add(layers.dense(first, "dense1"), layers.dense(second, "dense2"))
    shift = graph.unflatten(shift, layers.weight("dense1/weight").shape[1], 1, 1)
    x, levels = graph.leaky_relu(graph.add(layers.convolution(patch, "conv1"), shift), ENHANCER_SLOPE), []
    for level in range(ENHANCER_LEVELS):
        x = layers.pair(x, f"e{level}_conv")
        levels.append(x)
        x = graph.average_pool(x)
    for number in range(4):
        x = graph.leaky_relu(layers.convolution(x, f"center_conv{number}"), ENHANCER_SLOPE)
    for level in reversed(range(ENHANCER_LEVELS)):
        x = layers.pair(graph.concat(graph.resize_bilinear(x), levels[level]), f"d{level}_conv")
    result = graph.add(patch, layers.detail(x, "out1x_conv"))
    for name in ("2x", "4x"):
        x = graph.resize_bilinear(layers.pair(x, f"dec{name}_conv"))
        result = graph.add(graph.resize_bilinear(result), layers.detail(x, f"out{name}_conv"))
    graph.give("result", result)
    return graph


def _s3fd_taps(graph, layers, x):
    """The feature maps that the heads look at, by the name of their head."""
    taps = {}
    for stage, count in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(1, count + 1):
            x = graph.node("Relu", layers.convolution(x, f"conv{stage}_{number}"))
        if stage >= 3:
            taps[f"conv{stage}_3_norm"] = layers.unit_length(x, f"conv{stage}_3_norm")
        x = graph.max_pool(x)
    x = graph.node("Relu", layers.convolution(x, "fc6", padding=3))
    taps["fc7"] = x = graph.node("Relu", layers.convolution(x, "fc7"))
    for name in ("conv6", "conv7"):
        x = graph.node("Relu", layers.convolution(x, f"{name}_1"))
        taps[f"{name}_2"] = x = graph.node("Relu", layers.convolution(x, f"{name}_2", strides=2))
    return taps


def _channels(graph, x, start, end):
    bounds = (graph.constant((number,), np.int64) for number in (start, end, 1))
    return graph.node("Slice", x, *bounds)


class _FanLayers(WeightedGraph):
    def residual(self, x, path):
        """Three convolutions, each on the result of the one before, joined and added to the input."""
        parts, y = [], x
        for number in (1, 2, 3):
            y = self.convolution(self._relu_norm(y, f"{path}/bn{number}"), f"{path}/conv{number}")
            parts.append(y)
        if self.has(f"{path}/down_conv1/weight"):
            x = self.convolution(self._relu_norm(x, f"{path}/down_bn1"), f"{path}/down_conv1")
        return self.graph.add(self.graph.concat(*parts), x)

    def hourglass(self, x, path, depth):
        """Features of one scale plus those of an hourglass at half the size."""
        lower = self.residual(self.graph.average_pool(x), f"{path}/b2")
        inner = f"{path}/b2_plus"
        lower = self.hourglass(lower, inner, depth - 1) if depth > 1 else self.residual(lower, inner)
        lower = self.residual(lower, f"{path}/b3")
        return self.graph.add(self.residual(x, f"{path}/b1"), self.graph.upsample(lower))

    def _relu_norm(self, x, path):
        return self.graph.node("Relu", self.batch_norm(x, path))


class _EnhancerLayers(WeightedGraph):
    def pair(self, x, path):
        """Two convolutions, each with its activation."""
        for number in (0, 1):
            x = self.graph.leaky_relu(self.convolution(x, f"{path}{number}"), ENHANCER_SLOPE)
        return x

    def detail(self, x, path):
        """What is added to the picture at one size."""
        x = self.graph.leaky_relu(self.convolution(x, f"{path}0"), ENHANCER_SLOPE)
        return self.graph.node("Tanh", self.convolution(x, f"{path}1"))
