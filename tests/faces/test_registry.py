"""Networks that a user adds: the list, what is fetched and added, and each role in its place, with tiny networks made here."""

import hashlib
import http.server
import json
import socketserver
import threading

import cv2
import numpy as np
import pytest
import skimage.data
import tiny_networks
import yaml
from PIL import Image

import main
from core.errors import FormatError, UsageError, UserError
from facelib.face_type import FaceType
from facelib.finder_factory import make_finders
from facelib.landmarks import MEAN_FACE_68
from facelib.registry import entries, roles, store
from facelib.registry.checked_network import CheckedNetwork
from facelib.registry.detectors import Scrfd, YuNet
from facelib.registry.landmark_networks import Heatmaps68, Points68
from samplelib.faces.aligned_face import FaceMetadata, read_metadata, save_face

FACES = [(100, 80, 90, 120, 0.95), (400, 300, 60, 70, 0.9), (20, 500, 30, 30, 0.99), (330, 120, 50, 50, 0.4)]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DFL_CONFIG_DIR", str(tmp_path / "config"))


def test_the_programs_list_is_sound():
    listed = {entry.name: entry for entry in entries.all_entries()}
    assert {"yunet", "scrfd", "sface", "arcface", "bisenet"} <= listed.keys()
    for entry in listed.values():
        places = [place for place in (entry.address, entry.home, entry.source) if place is not None]
        assert len(places) == 1 and places[0].startswith("https://")
        assert entry.licence != "unknown" and entry.input and entry.output
        assert entry.address is None or entry.sha256 is not None


def test_list_tells_what_is_here_and_what_is_not(tmp_path, capsys):
    tiny_networks.occluder(tmp_path / "a.onnx")
    words = ["--name", "hands", "--role", "parser", "--kind", "occluder", "--licence", "MIT"]
    assert main.main(["networks", "add", str(tmp_path / "a.onnx"), *words]) == 0
    capsys.readouterr()
    assert main.main(["networks", "list"]) == 0
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert told["yunet"].endswith("can be fetched") and "by hand, from https://" in told["scrfd"]
    assert "S3FD" in told and "2DFAN" in told and "to be exported, from https://" in told["gfpgan"]
    assert told["hands"].endswith(str(tmp_path / "config" / "networks" / "hands.onnx"))


@pytest.mark.parametrize("form, kind", [(tiny_networks.yunet, YuNet), (tiny_networks.scrfd, Scrfd)])
def test_detectors_find_what_their_cells_say(tmp_path, form, kind):
    detector = kind(CheckedNetwork(form(tmp_path / "d.onnx", FACES)))
    image = np.zeros((480, 640, 3), np.uint8)
    [boxes] = detector.detect([image])
    np.testing.assert_allclose(boxes, [(100, 80, 190, 200), (400, 300, 460, 370)], atol=1)
    [twice] = detector.detect([np.zeros((960, 1280, 3), np.uint8)])
    np.testing.assert_allclose(
        twice, np.array([(100, 80, 190, 200), (400, 300, 460, 370), (20, 500, 50, 530)]) * 2, atol=2
    )


def test_overlapping_boxes_are_one_face(tmp_path):
    detector = YuNet(CheckedNetwork(tiny_networks.yunet(tmp_path / "d.onnx", [FACES[0], (108, 84, 92, 122, 0.8)])))
    assert len(detector.detect([np.zeros((640, 640, 3), np.uint8)])[0]) == 1


def test_landmark_networks_give_points_of_the_picture(tmp_path):
    points = np.asarray(MEAN_FACE_68, np.float64) * 0.6 + 0.2
    image, box = np.zeros((400, 600, 3), np.uint8), (200, 100, 300, 220)
    by_points = Points68(CheckedNetwork(tiny_networks.points_68(tmp_path / "p.onnx", points))).align([image], [[box]])[
        0
    ][0]
    cells = np.floor(points * 64)
    by_maps = Heatmaps68(CheckedNetwork(tiny_networks.heatmaps_68(tmp_path / "h.onnx", cells))).align([image], [[box]])[
        0
    ][0]
    side = 200 * (100 + 120) / 195
    expected = (points - 0.5) * side + (250, 160)
    np.testing.assert_allclose(by_points, expected, atol=1e-3)
    assert np.abs(by_maps - expected).max() < side / 64
    outside = Points68(CheckedNetwork(tmp_path / "p.onnx")).align([image], [[(2000, 2000, 2100, 2100)]])
    assert outside == [[None]]


def add(path, name, kind):
    from facelib.registry.kinds import KINDS

    return store.add_network(path, name, KINDS[kind], kind)


def test_extraction_with_both_networks_of_the_user(tmp_path, capsys):
    points = np.asarray(MEAN_FACE_68, np.float64) * 0.5 + 0.25
    add(tiny_networks.yunet(tmp_path / "d.onnx", FACES[:2]), "mine", "yunet")
    add(tiny_networks.points_68(tmp_path / "p.onnx", points), "my-points", "points_68")
    frames = tmp_path / "frames"
    frames.mkdir()
    cv2.imwrite(str(frames / "1.png"), np.full((640, 640, 3), 90, np.uint8))
    words = [
        "--detector",
        "mine",
        "--landmarks",
        "my-points",
        "--face-type",
        "whole_face",
        "--max-faces-from-image",
        "1",
    ]
    words += ["--image-size", "256", "--jpeg-quality", "90", "--no-output-debug"]
    assert main.main(["extract", "--input-dir", str(frames), "--output-dir", str(tmp_path / "aligned"), *words]) == 0
    assert "Face finder: mine, landmarks: my-points." in capsys.readouterr().out
    [face] = (tmp_path / "aligned").glob("*.jpg")
    metadata = read_metadata(face)
    np.testing.assert_allclose(metadata.source_rect, (100, 80, 190, 200), atol=1)
    options = json.loads((tmp_path / "aligned" / "extract_report.json").read_text())["options"]
    assert (options["detector"], options["landmarks"]) == ("mine", "my-points")


def test_a_detector_of_the_user_with_the_embedded_landmarks(tmp_path):
    portrait = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    scale = 640 / 512
    box = np.array([170, 60, 105, 135]) * scale
    add(tiny_networks.scrfd(tmp_path / "d.onnx", [(*box, 0.9)]), "mine", "scrfd")
    finder = make_finders("mine", FaceType.WHOLE_FACE)[0][0]
    [face] = finder.find([portrait])[0]
    other = make_finders("embedded", FaceType.WHOLE_FACE)[0][0].find([portrait])[0][0]
    side = np.ptp(other.landmarks, axis=0).max()
    assert np.abs(face.landmarks - other.landmarks).mean() < 0.03 * side


@pytest.mark.parametrize(
    "words, told",
    [
        (["--detector", "nobody"], "--detector nobody: is none of s3fd, manual, embedded, yunet, scrfd."),
        (["--landmarks", "yunet"], "yunet: no such landmarks network. Known: 2dfan4"),
    ],
)
def test_unknown_names_are_refused_at_once(tmp_path, words, told, capsys):
    (tmp_path / "frames").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "frames" / "1.png")
    assert (
        main.main(["extract", "--input-dir", str(tmp_path / "frames"), "--output-dir", str(tmp_path / "out"), *words])
        == 2
    )
    assert told in capsys.readouterr().err


def test_a_network_that_is_not_here_says_how_to_get_it():
    with pytest.raises(
        UserError, match=r"yunet: this network is not on this computer. To fetch it: .* networks fetch yunet"
    ):
        roles.open_detector("yunet", 40)
    with pytest.raises(UserError, match=r"Get det_10g.onnx from https://.*, then: .* networks add FILE --name scrfd"):
        roles.open_detector("scrfd", 40)


def test_weights_of_deepfacelab_are_fetched_by_the_same_command(monkeypatch):
    asked = []
    monkeypatch.setattr("facelib.weights.fetch_weights", lambda names: asked.append(names))
    assert main.main(["networks", "fetch", "S3FD"]) == 0
    assert asked == [["S3FD"]]


def face_picture(path, color_below=(0, 0, 255)):
    """The astronaut as an aligned face, its lower half of one colour."""
    image = np.ascontiguousarray(skimage.data.astronaut()[0:256, 96:352, ::-1])
    image[150:] = color_below
    landmarks = np.asarray(MEAN_FACE_68, np.float64) * 100 + (85, 60)
    save_face(path, image, FaceMetadata("whole_face", landmarks, "1.png", [0, 0, 9, 9], landmarks, np.eye(2, 3)), 95)


def apply(folder, name, *words):
    return main.main(
        ["xseg", "apply", "--input-dir", str(folder), "--model-dir", str(folder), "--generic", name, *words]
    )


def test_masks_of_a_parser(tmp_path, capsys):
    """Red is skin to it: the lower half."""
    add(tiny_networks.parser(tmp_path / "p.onnx"), "parts", "bisenet")
    folder = tmp_path / "aligned"
    folder.mkdir()
    face_picture(folder / "1.jpg")
    assert apply(folder, "parts") == 0
    assert "masks of the network parts" in capsys.readouterr().out
    mask = read_metadata(folder / "1.jpg").decode_xseg_mask()[..., 0]
    assert mask[170:].mean() > 0.95 and mask[:60].mean() < 0.6


def test_an_occluder_takes_out_of_the_whole_face_what_covers_it(tmp_path):
    add(tiny_networks.occluder(tmp_path / "o.onnx"), "hands", "occluder")
    masks = {}
    for name, color in (("plain", None), ("covered", (255, 0, 0))):
        folder = tmp_path / name
        folder.mkdir()
        image = np.ascontiguousarray(skimage.data.astronaut()[0:256, 96:352, ::-1])
        image[..., 0] = np.minimum(image[..., 0], 100)
        if color:
            image[:, 128:] = np.where(np.arange(256)[:, None, None] > 130, color, image[:, 128:])
        landmarks = np.asarray(MEAN_FACE_68, np.float64) * 100 + (85, 60)
        metadata = FaceMetadata("whole_face", landmarks, "1.png", [0, 0, 9, 9], landmarks, np.eye(2, 3))
        save_face(folder / "1.jpg", image, metadata, 98)
        assert apply(folder, "hands") == 0
        masks[name] = read_metadata(folder / "1.jpg").decode_xseg_mask()[..., 0]
    assert masks["plain"][140:160, 110:150].mean() > 0.9
    assert masks["covered"][140:160, 132:150].mean() < 0.1 and masks["covered"][100:120, 110:125].mean() > 0.9
    assert masks["plain"][:, :20].mean() < 0.05


def test_faces_are_told_apart_by_a_recognizer_of_the_user(tmp_path):
    add(tiny_networks.recognizer(tmp_path / "r.onnx"), "colours", "sface")
    embedding = roles.open_recognizer("colours")
    red, blue = np.zeros((112, 112, 3), np.uint8), np.zeros((112, 112, 3), np.uint8)
    red[..., 2], blue[..., 0] = 250, 250
    vectors = embedding.embed([red, red, blue])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0, 0] > 0.99 and vectors[0] @ vectors[1] > 0.999 > 0.1 > vectors[0] @ vectors[2]


def test_the_cast_takes_the_recognizer_of_the_user(tmp_path, capsys):
    add(tiny_networks.recognizer(tmp_path / "r.onnx"), "colours", "sface")
    folder = tmp_path / "aligned"
    folder.mkdir()
    for number in range(3):
        face_picture(folder / f"{number}.jpg")
    assert main.main(["facesettool", "cast", "--input-dir", str(folder), "--recognition", "colours"]) == 0
    assert "Faces are told apart by: SFace" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["yunet", "scrfd", "heatmaps_68", "points_68", "bisenet", "occluder", "arcface"])
def test_a_network_of_another_kind_is_not_taken(tmp_path, kind):
    other = tiny_networks.fixed(tmp_path / "x.onnx", {"a": np.zeros((1, 7, 3, 2))}, (1, 3, 96, 96))
    with pytest.raises(FormatError, match=r"x\.onnx: (is no|has no|takes pictures)"):
        add(other, "other", kind)
    assert not entries.user_list().exists() and not store.networks_folder().exists()


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "of a size that can be used"),
        (b"no network", "is no ONNX network"),
        (b"\x08\x07" * 500, "is no ONNX network"),
    ],
)
def test_what_is_no_network_is_refused(tmp_path, content, told):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(FormatError, match=told):
        add(tmp_path / "x.onnx", "other", "occluder")


def test_a_network_may_not_read_other_files(tmp_path):
    from onnx import helper

    nodes = [helper.make_node("Mul", ["input", "weights"], ["mask"])]
    constants = [("weights", np.ones((1, 64, 64, 3), np.float32))]
    path = tiny_networks.write(
        tmp_path / "x.onnx", nodes, {"mask": (1, 64, 64, 3)}, constants, (1, 64, 64, 3), external="w.bin"
    )
    with pytest.raises(FormatError, match="keeps weights in other files"):
        add(path, "other", "occluder")


def test_a_file_that_changed_since_is_not_used(tmp_path, capsys):
    add(tiny_networks.occluder(tmp_path / "o.onnx"), "hands", "occluder")
    kept = store.networks_folder() / "hands.onnx"
    tiny_networks.occluder(kept, side=32)
    with pytest.raises(FormatError, match="its SHA-256 differs"):
        roles.open_parser("hands")
    assert main.main(["networks", "list"]) == 0
    told = capsys.readouterr().out
    assert "is not the file that was checked" in told and "yunet" in told


def test_a_known_name_takes_the_known_file_only(tmp_path):
    path = tiny_networks.yunet(tmp_path / "y.onnx", FACES)
    with pytest.raises(UserError, match="is not the face_detection_yunet_2023mar.onnx that its home publishes"):
        store.add_network(path, "yunet", None, None)
    with pytest.raises(UsageError, match="say what it is: --role and --kind"):
        store.add_network(path, "another", None, None)
    with pytest.raises(UsageError, match="is none of a parser; those are bisenet, occluder"):
        store.add_network(path, "another", "parser", "yunet")
    with pytest.raises(UsageError, match="a name is made of"):
        store.add_network(path, "../x", "detector", "yunet")
    entry = store.add_network(tiny_networks.scrfd(tmp_path / "s.onnx", FACES), "scrfd", None, None)
    assert entry.file == "det_10g.onnx" and (store.networks_folder() / "det_10g.onnx").is_file()
    assert roles.open_detector("scrfd", 40).detect([np.zeros((640, 640, 3), np.uint8)])[0]


class Server:
    """Hands out one file over HTTP."""

    def __init__(self, content):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/network.onnx"


def on_the_list(monkeypatch, **fields):
    entry = entries.Entry("tiny", "parser", "occluder", "tiny.onnx", "MIT", **fields)
    monkeypatch.setattr(entries, "_program_list", lambda: (entry,))


def test_fetching_checks_what_comes(tmp_path, monkeypatch, capsys):
    content = tiny_networks.occluder(tmp_path / "o.onnx").read_bytes()
    server = Server(content)
    on_the_list(monkeypatch, address=server.address, sha256=hashlib.sha256(content).hexdigest())
    assert main.main(["networks", "fetch", "tiny"]) == 0
    assert roles.open_parser("tiny").mask(np.zeros((50, 50, 3), np.uint8)).mean() == 1
    assert main.main(["networks", "fetch", "tiny"]) == 0
    assert "is there already" in capsys.readouterr().out
    on_the_list(monkeypatch, address=server.address, sha256="0" * 64)
    (store.networks_folder() / "tiny.onnx").unlink()
    assert main.main(["networks", "fetch", "tiny"]) == 1
    assert "is not tiny.onnx" in capsys.readouterr().err
    assert not list(store.networks_folder().iterdir())


def test_what_nobody_could_check_needs_a_word_and_is_held_to_what_came_first(tmp_path, monkeypatch, capsys):
    server = Server(tiny_networks.occluder(tmp_path / "o.onnx").read_bytes())
    on_the_list(monkeypatch, address=server.address)
    assert main.main(["networks", "fetch", "tiny"]) == 1
    assert "--accept-unverified" in capsys.readouterr().err
    assert main.main(["networks", "fetch", "tiny", "--accept-unverified"]) == 0
    assert entries.entry_of("tiny").sha256 is not None
    assert roles.open_parser("tiny")
    tiny_networks.occluder(store.networks_folder() / "tiny.onnx", side=32)
    with pytest.raises(FormatError, match="its SHA-256 differs"):
        roles.open_parser("tiny")


def test_an_answer_that_is_no_http_is_told_and_leaves_nothing(monkeypatch, capsys):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(4096)
            self.request.sendall(b"this is no answer\r\n\r\n")

    server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    on_the_list(monkeypatch, address=f"http://127.0.0.1:{server.server_address[1]}/x.onnx", sha256="0" * 64)
    assert main.main(["networks", "fetch", "tiny"]) == 1
    assert "tiny: cannot be fetched (the answer cannot be read" in capsys.readouterr().err
    assert not list(store.networks_folder().iterdir())
    server.shutdown()


def test_without_a_network_the_address_is_told(monkeypatch, capsys):
    on_the_list(monkeypatch, address="http://127.0.0.1:9/x.onnx", sha256="0" * 64)
    assert main.main(["networks", "fetch", "tiny"]) == 1
    assert "By hand: get http://127.0.0.1:9/x.onnx on a computer with a network" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, told",
    [
        ("networks: 5", "expected a list"),
        ("", "expected a list of networks"),
        ("{}", "expected a list of networks"),
        ("networks: [{name: a}]", "lacks role, kind, file"),
        ("networks: [{name: a, role: parser, kind: yunet, file: a.onnx}]", "expected a kind of parser"),
        ("networks: [{name: a, role: parser, kind: occluder, file: ../a.onnx}]", "expected the name of a file"),
        ("networks: [{name: a, role: parser, kind: occluder, file: a.onnx, sha256: xyz}]", "expected 64 digits"),
        (
            "networks: [{name: a, role: parser, kind: occluder, file: a.onnx, address: 'file:///etc/passwd'}]",
            "expected an address",
        ),
        ("networks: [{name: a, role: parser, kind: occluder, file: a.onnx, more: 1}]", "unknown keys: more"),
        ("networks: [{name: A B, role: parser, kind: occluder, file: a.onnx}]", "expected a name of small letters"),
        ("networks: [{name: a, role: parser, kind: occluder, file: a.onnx, size: big}]", "expected a number of bytes"),
    ],
)
def test_a_damaged_list_of_the_user_says_where(text, told, capsys):
    entries.user_list().parent.mkdir(parents=True)
    entries.user_list().write_text(text)
    assert main.main(["networks", "list"]) == 1
    assert told in capsys.readouterr().err


def test_the_users_list_holds_what_was_added_and_keeps_the_rest(tmp_path):
    for name in ("first", "second", "first"):
        add(tiny_networks.occluder(tmp_path / "o.onnx"), name, "occluder")
    stored = yaml.safe_load(entries.user_list().read_text())["networks"]
    assert [entry["name"] for entry in stored] == ["second", "first"]
    assert {entry.name for entry in entries.all_entries()} >= {"first", "second", "yunet"}
