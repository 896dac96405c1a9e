"""A recognition network of the user that cannot be used is refused in one line, before a picture moves."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import FormatError, UserError
from facelib.recognition import network as recognition_network
from facelib.recognition.embedding import SIZE, NetworkEmbedding
from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.sorting import identity

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
node, kinds = onnx.helper.make_node, onnx.TensorProto
ROOT = Path(__file__).resolve().parents[2]
MEAN = node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0)


def write_network(path, nodes, stored=(), batch="n", shape=(3, SIZE, SIZE), kind=kinds.FLOAT, out=kinds.FLOAT):
    """A network from ``x`` to ``y``."""
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", kind, [batch, *shape])],
        [onnx.helper.make_tensor_value_info("y", out, None)],
        [onnx.numpy_helper.from_array(np.array(value), name) for name, value in dict(stored).items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def mean_colour(path, **form):
    return write_network(path, [node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)], **form)


def endless_loop():
    info = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [node("Identity", ["c"], ["c2"]), node("Add", ["a", "a"], ["a2"])],
        "body",
        [info("i", kinds.INT64, []), info("c", kinds.BOOL, []), info("a", kinds.FLOAT, None)],
        [info("c2", kinds.BOOL, []), info("a2", kinds.FLOAT, None)],
    )
    return [MEAN, node("Loop", ["n", "t", "m"], ["y"], body=body)], {"n": np.int64(2**62), "t": True}


@pytest.mark.parametrize("batch", [0, 65, 10**6, 10**9, -5])
def test_a_batch_that_cannot_be_is_refused_without_taking_memory(tmp_path, batch):
    with pytest.raises(FormatError, match=r"net\.onnx: takes .*(pictures at a time|negative)"):
        NetworkEmbedding(mean_colour(tmp_path / "net.onnx", batch=batch))


@pytest.mark.parametrize("kind", [kinds.DOUBLE, kinds.FLOAT16, kinds.INT8])
def test_numbers_of_another_type_are_refused(tmp_path, kind):
    cast = [node("Cast", ["x"], ["f"], to=kinds.FLOAT), node("ReduceMean", ["f"], ["y"], axes=[2, 3], keepdims=0)]
    with pytest.raises(FormatError, match=r"net\.onnx: takes tensor\(.*\); expected 32-bit"):
        NetworkEmbedding(write_network(tmp_path / "net.onnx", cast, kind=kind))


CONSTANT = onnx.numpy_helper.from_array(np.array([1], np.float32))
USELESS = {
    "nan": ([MEAN, node("Sub", ["m", "m"], ["z"]), node("Div", ["z", "z"], ["y"])], {}, "not finite"),
    "infinite": ([MEAN, node("Div", ["m", "z"], ["y"])], {"z": np.zeros(3, np.float32)}, "not finite"),
    "zeros": ([MEAN, node("Sub", ["m", "m"], ["y"])], {}, "nothing but zeros"),
    "constant": ([MEAN, node("Mul", ["m", "z"], ["n"]), node("Add", ["n", "o"], ["y"])],
                 {"z": np.zeros(3, np.float32), "o": np.ones(3, np.float32)}, "same vector for different pictures"),
    "nearly constant": ([MEAN, node("Add", ["m", "o"], ["y"])],
                        {"o": np.array([1e4, 2e4, 3e4], np.float32)}, "same vector for different pictures"),
    "random": ([MEAN, node("RandomNormal", [], ["r"], shape=[1, 3], scale=5.0), node("Add", ["m", "r"], ["y"])], {},
               "another vector when it sees the same picture"),
    "one number": ([node("ReduceMean", ["x"], ["s"], axes=[1, 2, 3], keepdims=1), node("Reshape", ["s", "to"], ["y"])],
                   {"to": np.array([-1, 1])}, "vectors of 1 numbers"),
    "pictures": ([node("Identity", ["x"], ["y"])], {}, "expected one vector"),
    "fails": ([node("Reshape", ["x", "to"], ["y"])], {"to": np.array([7, 11])}, "cannot be run .its operation Reshape fails"),
    "texts": ([MEAN, node("Cast", ["m"], ["y"], to=kinds.STRING)], {}, "returns tensor\\(string\\)"),
    "memory": ([MEAN, node("ConstantOfShape", ["to"], ["c"], value=CONSTANT),
                node("ReduceSum", ["c"], ["r"], keepdims=0), node("Add", ["m", "r"], ["y"])],
               {"to": np.array([4 * 10**8])}, "too much memory"),
    "long vectors": ([MEAN, node("Tile", ["m", "to"], ["y"])], {"to": np.array([1, 10**6])}, "at most 65536"),
}  # fmt: skip


@pytest.mark.parametrize("name", USELESS)
def test_a_network_that_cannot_tell_faces_apart_is_refused(tmp_path, name):
    if name == "memory" and not Path("/proc/self/status").exists():
        pytest.skip("memory is limited as Linux does it")
    nodes, stored, problem = USELESS[name]
    out = kinds.STRING if name == "texts" else kinds.FLOAT
    with pytest.raises(FormatError, match=rf"net\.onnx: .*{problem}") as failure:
        NetworkEmbedding(write_network(tmp_path / "net.onnx", nodes, stored, out=out))
    assert "\n" not in str(failure.value) and len(str(failure.value)) < 500


def test_an_endless_network_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(recognition_network, "_TRIAL_SECONDS", 2)
    with pytest.raises(FormatError, match="took longer than 2 seconds"):
        NetworkEmbedding(write_network(tmp_path / "net.onnx", *endless_loop()))


@pytest.mark.parametrize("location", ["../../../etc/passwd", "/etc/passwd", "weights.bin"])
def test_weights_in_another_file_are_refused(tmp_path, location):
    path = write_network(tmp_path / "net.onnx", [MEAN, node("Add", ["m", "w"], ["y"])], {"w": np.zeros(3, np.float32)})
    model = onnx.load(path)
    (stored,) = model.graph.initializer
    onnx.external_data_helper.set_external_data(stored, location)
    stored.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    (tmp_path / "weights.bin").write_bytes(bytes(12))
    with pytest.raises(FormatError, match=r"net\.onnx: keeps weights in other files"):
        NetworkEmbedding(path)


@pytest.mark.parametrize("content", [b"", b"\x08", b"text", bytes(1000), b"\xff" * 1000])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(FormatError, match=r"net\.onnx: is no ONNX network"):
        NetworkEmbedding(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("batch", "shape", "axes"),
    [("n", (3, SIZE, SIZE), [2, 3]), (64, (3, SIZE, SIZE), [2, 3]), ("n", (SIZE, SIZE, 3), [1, 2]),
     ("n", (3, "h", "w"), [2, 3])],
)  # fmt: skip
def test_good_networks_of_every_form_give_the_mean_colour(tmp_path, batch, shape, axes):
    network = [node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0)]
    embedding = NetworkEmbedding(write_network(tmp_path / "net.onnx", network, batch=batch, shape=shape))
    crop = np.zeros((SIZE, SIZE, 3), np.uint8) + np.array([255, 128, 0], np.uint8)  # BGR
    expected = (np.array([0, 128, 255]) - 127.5) / 127.5
    np.testing.assert_allclose(embedding.embed([crop])[0], expected / np.linalg.norm(expected), atol=1e-5)


def write_faces(folder, count=5):
    from facelib.landmarks import MEAN_FACE_68

    folder.mkdir()
    generator = np.random.default_rng(3)
    for number in range(count):
        image = generator.integers(0, 256, (160, 160, 3), np.uint8)
        image[60:100, 60:100] = 255
        save_face(folder / f"{number}.jpg", image, FaceMetadata("whole_face", MEAN_FACE_68 * 120 + 20.0), 95)
    return folder


@pytest.mark.parametrize("name", ["nan", "constant", "zeros"])
def test_no_picture_moves_because_of_a_useless_network(tmp_path, name):
    faces = write_faces(tmp_path / "aligned")
    path = write_network(tmp_path / "net.onnx", *USELESS[name][:2])
    before = {file: file.read_bytes() for file in faces.iterdir()}
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "sort", "--input-dir", str(faces), "--by", "identity", "--yes",
         "--identity", str(faces / "0.jpg"), "--embedding-model", str(path)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and "net.onnx: returns" in done.stderr and "Traceback" not in done.stderr
    assert {file: file.read_bytes() for file in faces.iterdir()} == before
    assert [each.name for each in tmp_path.iterdir() if each.is_dir()] == ["aligned"]


def test_a_network_that_sees_no_difference_between_real_faces_moves_nothing(tmp_path):
    """It passes the trial, and fails on faces alone: here it sees the brightest value only."""
    faces = write_faces(tmp_path / "aligned")
    nodes = [node("ReduceMax", ["x"], ["m"], axes=[2, 3], keepdims=0), node("Add", ["m", "o"], ["y"])]
    embedding = NetworkEmbedding(write_network(tmp_path / "net.onnx", nodes, {"o": np.array([0, 1, 2], np.float32)}))
    with pytest.raises(UserError, match="gives all 5 faces the same vector.*nothing was moved"):
        identity.embed_faces(sorted(faces.iterdir()), embedding)


def test_faces_without_a_usable_vector_are_named_and_stay(tmp_path, capsys):
    """The logarithm of a dark picture is no number."""
    faces = write_faces(tmp_path / "aligned")
    nodes = [MEAN, node("Add", ["m", "o"], ["s"]), node("Log", ["s"], ["y"])]
    embedding = NetworkEmbedding(write_network(tmp_path / "net.onnx", nodes, {"o": np.full(3, 0.999, np.float32)}))
    black = FaceMetadata("whole_face", identity.read_face(faces / "0.jpg").landmarks)
    save_face(faces / "black.jpg", np.zeros((160, 160, 3), np.uint8), black, 95)
    found = identity.embed_faces(sorted(faces.iterdir()), embedding)
    assert [path.name for path in found.failed] == ["black.jpg"] and len(found.paths) == 5
    assert "black.jpg: the recognition network gives no usable vector" in capsys.readouterr().err
    for path in found.paths:
        path.unlink()
    with pytest.raises(UserError, match="None of the 1 faces"):
        identity.embed_faces(sorted(faces.iterdir()), embedding)
