"""Tiny ONNX networks in the forms of the registered ones, for tests: each answers the same on every picture, or by simple arithmetic."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)


def write(path, nodes, outputs, constants=(), shape=(1, 3, 640, 640), external=None):
    """A network with one input ``input``; ``outputs`` maps names to shapes."""
    values = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in outputs.items()]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants]
    graph = helper.make_graph(nodes, "tiny", values, results, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if external:
        onnx.save_model(model, str(path), save_as_external_data=True, location=external, size_threshold=0)
    else:
        path.write_bytes(model.SerializeToString())
    return path


def fixed(path, outputs, shape=(1, 3, 640, 640)):
    """A network whose outputs are these arrays, whatever the picture shows."""
    nodes, constants = [helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0)], [("zero", np.float32(0))]
    nodes.append(helper.make_node("Mul", ["mean", "zero"], ["nothing"]))
    for name, array in outputs.items():
        constants.append((f"{name}_values", np.asarray(array, np.float32)))
        nodes.append(helper.make_node("Add", [f"{name}_values", "nothing"], [name]))
    return write(path, nodes, {name: np.shape(array) for name, array in outputs.items()}, constants, shape)


def yunet(path, faces):
    """``faces``: (x, y, width, height, score) in pixels of a picture of 640 × 640, each put into the cell of its middle at stride 16."""
    outputs = {}
    for stride in STRIDES:
        side = 640 // stride
        for name, length in (("cls", 1), ("obj", 1), ("bbox", 4)):
            outputs[f"{name}_{stride}"] = np.zeros((1, side * side, length), np.float32)
    for x, y, width, height, score in faces:
        middle = np.array([x + width / 2, y + height / 2]) / 16
        column, row = middle.astype(int)
        cell = row * 40 + column
        outputs["cls_16"][0, cell], outputs["obj_16"][0, cell] = score, score
        outputs["bbox_16"][0, cell] = (*(middle - (column, row)), np.log(width / 16), np.log(height / 16))
    return fixed(path, outputs)


def scrfd(path, faces):
    """As :func:`yunet`, in the form of SCRFD, with the same face from both anchors of its cell."""
    scores = {stride: np.zeros((2 * (640 // stride) ** 2, 1), np.float32) for stride in STRIDES}
    sides = {stride: np.zeros((2 * (640 // stride) ** 2, 4), np.float32) for stride in STRIDES}
    for x, y, width, height, score in faces:
        column, row = int((x + width / 2) // 16), int((y + height / 2) // 16)
        cell = 2 * (row * 40 + column)
        scores[16][cell : cell + 2] = [[score], [score * 0.9]]
        left, top = column * 16 - x, row * 16 - y
        sides[16][cell : cell + 2] = np.array([left, top, width - left, height - top]) / 16
    return fixed(path, {f"s{n}": scores[n] for n in STRIDES} | {f"d{n}": sides[n] for n in STRIDES})


def points_68(path, points):
    """``points`` (68, 2) in parts of the picture's side."""
    return fixed(path, {"points": points[None]}, (1, 3, 192, 192))


def heatmaps_68(path, points):
    """A peak at each of ``points`` (68, 2), in pixels of the maps of 64 × 64."""
    maps = np.zeros((1, 68, 64, 64), np.float32)
    for number, (x, y) in enumerate(np.asarray(points, int)):
        maps[0, number, y, x] = 1
    return fixed(path, {"landmarks": np.zeros((1, 68, 3)), "heatmaps": maps}, (1, 3, 256, 256))


def parser(path, side=64):
    """Skin where a picture is red, hair (17) where it is green, background elsewhere."""
    weights = np.zeros((19, 3, 1, 1), np.float32)
    weights[1, 0], weights[17, 1] = 1, 1
    bias = np.zeros(19, np.float32)
    bias[0] = 0.9
    nodes = [helper.make_node("Conv", ["input", "weights", "bias"], ["classes"])]
    return write(
        path, nodes, {"classes": (1, 19, side, side)}, [("weights", weights), ("bias", bias)], (1, 3, side, side)
    )


def occluder(path, side=64):
    """Everything but what is blue (BGR pictures, channels last) is not covered."""
    nodes = [
        helper.make_node("Gather", ["input", "first"], ["blue"], axis=3),
        helper.make_node("Sub", ["one", "blue"], ["mask"]),
    ]
    constants = [("first", np.array([0], np.int64)), ("one", np.float32(1))]
    return write(path, nodes, {"mask": (1, side, side, 1)}, constants, (1, side, side, 3))


def restorer(path, side=64):
    """The same picture with red and blue (RGB, -1...1) turned to their opposite."""
    sign = np.float32([-1, 1, -1]).reshape(1, 3, 1, 1)
    nodes = [helper.make_node("Mul", ["input", "sign"], ["restored"])]
    return write(path, nodes, {"restored": (1, 3, side, side)}, [("sign", sign)], (1, 3, side, side))


def recognizer(path):
    """Mean colour of the three channels in 0…255, and a one."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Concat", ["mean", "one"], ["vector"], axis=1),
    ]
    return write(path, nodes, {"vector": (1, 4)}, [("one", np.ones((1, 1), np.float32))], (1, 3, 112, 112))
