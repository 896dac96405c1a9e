"""ONNX graphs of the autoencoders of :mod:`models.architectures.deepfake` and :mod:`models.architectures.amp`.

What the option ``archi`` does not say, the shapes of the weights do.
"""

from typing import Any

import numpy as np

from core.networks.onnx_graph import OnnxGraph, WeightedGraph
from models.architectures.archi_text import DOWNSCALE_SLOPE, RESIDUAL_SLOPE, ArchitectureText


class DeepfakeLayers(WeightedGraph):
    """The blocks of which encoder, inter and decoder are made.

    Parameters
    ----------
    graph, weights, source
        See :class:`core.networks.onnx_graph.WeightedGraph`.
    archi : ArchitectureText
    """

    def __init__(self, graph: OnnxGraph, weights: dict, source: str, archi: ArchitectureText):
        super().__init__(graph, weights, source)
        self.archi = archi
        self._activate = graph.cosine_unit if archi.cosine else graph.leaky_relu

    def downscale(self, x: str, path: str) -> str:
        """(N, C, H, W) to half the size."""
        return self._activate(self.convolution(x, f"{path}/conv1", strides=2), DOWNSCALE_SLOPE)

    def upscale(self, x: str, path: str) -> str:
        """(N, C, H, W) to double the size."""
        return self.graph.depth_to_space(self._activate(self.convolution(x, f"{path}/conv1"), DOWNSCALE_SLOPE))

    def residual(self, x: str, path: str) -> str:
        """Two convolutions around a shortcut."""
        y = self._activate(self.convolution(x, f"{path}/conv1"), RESIDUAL_SLOPE)
        return self._activate(self.graph.add(x, self.convolution(y, f"{path}/conv2")), RESIDUAL_SLOPE)

    def encoder(self, x: str) -> str:
        """Face to vector; with a dense layer behind it where the weights have one, as AMP's."""
        if self.archi.deep:
            x = self.residual(self.downscale(x, "down1"), "res1")
            for number in (2, 3, 4, 5):
                x = self.downscale(x, f"down{number}")
            x = self.residual(x, "res5")
        else:
            index = 0
            while self.has(f"down1/downs_{index}/conv1/weight"):
                x = self.downscale(x, f"down1/downs_{index}")
                index += 1
        x = self.graph.flatten(x)
        if self.archi.likeness:
            x = self.graph.pixel_norm(x)
        return self.dense(x, "dense1") if self.has("dense1/weight") else x

    def inter(self, x: str, lowest_resolution: int) -> str:
        """Vector to code."""
        if self.has("dense1/weight"):
            x = self.dense(x, "dense1")
        channels = self.weight("dense2/weight").shape[1] // lowest_resolution**2
        x = self.graph.unflatten(self.dense(x, "dense2"), channels, lowest_resolution, lowest_resolution)
        return self.upscale(x, "upscale1") if self.has("upscale1/conv1/weight") else x

    def picture(self, code: str) -> str:
        """Code to picture (N, 3, R, R), 0..1."""
        x, index = code, 0
        while self.has(f"upscale{index}/conv1/weight"):
            x = self.residual(self.upscale(x, f"upscale{index}"), f"res{index}")
            index += 1
        if self.archi.double:
            x = self.graph.depth_to_space(self.convolution(x, "", kernel=self._interleaved_kernel()))
        else:
            x = self.convolution(x, "out_conv")
        return self.graph.sigmoid(x)

    def mask(self, code: str) -> str:
        """Code to mask (N, 1, R, R), 0..1."""
        x, index = code, 0
        while self.has(f"upscalem{index}/conv1/weight"):
            x = self.upscale(x, f"upscalem{index}")
            index += 1
        return self.graph.sigmoid(self.convolution(x, "out_convm"))

    def _interleaved_kernel(self):
        """Four output convolutions as one of 12 channels; the 1x1 kernel sits in the middle of a 3x3."""
        paths = ("out_conv", "out_conv1", "out_conv2", "out_conv3")
        kernels = [self.weight(f"{path}/weight") for path in paths]
        kernels[0] = np.pad(kernels[0], ((1, 1), (1, 1), (0, 0), (0, 0)))
        return np.concatenate(kernels, axis=-1), np.concatenate([self.weight(f"{path}/bias") for path in paths])


def swap_graph(parts: dict[str, tuple[dict, object]], options: dict, names: Any = None, **form) -> OnnxGraph:
    """Destination faces to (source face in their pose, its mask, the mask of the destination face).

    Parameters
    ----------
    parts : dict
        Network name (``encoder``, ``inter`` or ``inter_AB`` and ``inter_B``, ``decoder`` or ``decoder_src`` and
        ``decoder_dst``) to its weights and the file that they come from.
    options : dict
        Of the model; ``archi`` and ``resolution`` count.
    names : sequence of str, optional
        Input, then outputs in the order above.
    **form
        Of :class:`core.networks.onnx_graph.OnnxGraph`.
    """
    text, resolution = ArchitectureText.parse(options["archi"]), options["resolution"]
    graph, layers = _open(parts, text, form)
    face, *outputs = names or ("face", "picture", "mask", "destination_mask")
    vector = layers["encoder"].encoder(graph.faces(face, resolution))
    lowest = resolution // text.lowest_cell
    if text.kind == "liae":
        shared = layers["inter_AB"].inter(vector, lowest)
        swapped = graph.concat(shared, shared)
        own = graph.concat(layers["inter_B"].inter(vector, lowest), shared)
        source = destination = layers["decoder"]
    else:
        swapped = own = layers["inter"].inter(vector, lowest)
        source, destination = layers["decoder_src"], layers["decoder_dst"]
    _give(graph, outputs, resolution, source.picture(swapped), source.mask(swapped), destination.mask(own))
    return graph


def morph_graph(parts: dict[str, tuple[dict, object]], options: dict, names: Any = None, **form) -> OnnxGraph:
    """AMP: destination faces and the share of the code that comes from the source, (1,) float32, to the same outputs.

    Parameters as those of :func:`swap_graph`.
    """
    resolution = options["resolution"]
    text = ArchitectureText("df", likeness=True, double=True, deep=True)
    graph, layers = _open(parts, text, form)
    face, morph, *outputs = names or ("face", "morph", "picture", "mask", "destination_mask")
    vector = layers["encoder"].encoder(graph.faces(face, resolution))
    graph.take(morph, (1,))
    lowest = resolution // 32
    own = layers["inter_dst"].inter(vector, lowest)
    channels = layers["inter_dst"].weight("dense2/weight").shape[1] // lowest**2
    count = graph.node("Floor", graph.node("Mul", morph, graph.constant(float(channels))))
    places = graph.constant(np.arange(channels).reshape(1, -1, 1, 1))
    chosen = graph.node("Less", places, count)
    code = graph.node("Where", chosen, layers["inter_src"].inter(vector, lowest), own)
    decoder = layers["decoder"]
    _give(graph, outputs, resolution, decoder.picture(code), decoder.mask(code), decoder.mask(own))
    return graph


def _open(parts, text, form):
    graph = OnnxGraph("swap", **form)
    return graph, {name: DeepfakeLayers(graph, weights, file, text) for name, (weights, file) in parts.items()}


def _give(graph, names, resolution, picture, mask, destination_mask):
    for name, value, channels in zip(names, (picture, mask, destination_mask), (3, 1, 1)):
        graph.give(name, value, ("N", resolution, resolution, channels))
