"""The ONNX graph of XSeg, see :mod:`models.architectures.xseg`."""

from typing import Any

from core.networks.onnx_graph import OnnxGraph, WeightedGraph
from models.architectures.xseg_levels import LEVELS, LOWEST_RESOLUTION, RESOLUTION


def xseg_graph(parts: dict[str, tuple[dict, object]], options: dict, names: Any = None, **form) -> OnnxGraph:
    """Faces (N, 256, 256, 3) to masks (N, 256, 256, 1), 0..1.

    Parameters
    ----------
    parts : dict
        ``XSeg_256`` to its weights and the file that they come from.
    options : dict
        Of the model; none counts.
    names : (str, str), optional
        Of input and output.
    **form
        Of :class:`core.networks.onnx_graph.OnnxGraph`.
    """
    names = names or ("face", "mask")
    graph = OnnxGraph("XSeg", **form)
    weights, source = parts["XSeg_256"]
    layers = WeightedGraph(graph, weights, str(source))
    x, skips = graph.faces(names[0], RESOLUTION), []
    for level, (_, count, filter_size) in enumerate(LEVELS):
        for index in range(1, count + 1):
            x = _block(layers, x, f"conv{level}{index}")
        skips.append(x)
        x = graph.blur_pool(x, layers.weight(f"conv{level}{count}/tlu/tau").shape[0], filter_size)
    code = layers.dense(layers.dense(graph.flatten(x), "dense1"), "dense2")
    channels = layers.weight("dense2/weight").shape[1] // LOWEST_RESOLUTION**2
    x = graph.unflatten(code, channels, LOWEST_RESOLUTION, LOWEST_RESOLUTION)
    for level in reversed(range(len(LEVELS))):
        x = graph.concat(_block(layers, x, f"up{level}", transposed=True), skips[level])
        for index in reversed(range(1, LEVELS[level][1] + 1)):
            x = _block(layers, x, f"uconv{level}{index}")
    mask = graph.sigmoid(layers.convolution(x, "out_conv"))
    graph.give(names[1], mask, ("N", RESOLUTION, RESOLUTION, 1))
    return graph


def _block(layers, x, path, transposed=False):
    x = layers.transposed_convolution(x, f"{path}/conv") if transposed else layers.convolution(x, f"{path}/conv")
    return layers.thresholded_unit(layers.response_norm(x, f"{path}/frn"), f"{path}/tlu")
