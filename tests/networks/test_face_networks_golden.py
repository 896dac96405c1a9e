"""S3FD, FAN and the face enhancer compute what DeepFaceLab's networks compute, and load its weight files."""

import cv2
import golden_vectors as golden
import numpy as np
import pytest

from core.errors import FormatError, UserError
from core.networks.weight_files import write_weights
from core.nn.weights import named_variables
from facelib.aligners.fan import FanAligner
from facelib.aligners.fan_network import FanNetwork
from facelib.aligners.fan_points import SAMPLE_SHIFTS, FanCrop, peaks
from facelib.detectors.boxes import boxes_in_frame, decode_maps, select_faces
from facelib.detectors.s3fd import S3fdDetector, network_size
from facelib.detectors.s3fd_network import S3fdNetwork
from facelib.enhancer import FaceEnhancer, enhance_in_patches
from facelib.enhancer_network import FaceEnhancerNetwork

NETWORKS = {
    "s3fd": (S3fdNetwork, "S3FD", 22_459_110),
    "fan": (FanNetwork, "FAN", 23_874_320),
    "faceenhancer": (FaceEnhancerNetwork, "FaceEnhancer", 33_111_401),
}


@pytest.fixture(scope="module")
def made():
    """Each network, filled by the rule, made once."""
    networks = {}

    def make(name):
        if name not in networks:
            kind, net_name, _ = NETWORKS[name]
            networks[name] = golden.fill(kind(), net_name, golden.index()["networks"][name]["gain"])
        return networks[name]

    yield make
    networks.clear()


@pytest.fixture(scope="module")
def weight_files(made, tmp_path_factory):
    """A function that writes the rule's weights of a network as a file of DeepFaceLab's format."""
    folder = tmp_path_factory.mktemp("weights")

    def write(name):
        path = folder / f"{NETWORKS[name][1]}.npy"
        if not path.exists():
            write_weights(path, {key: np.asarray(value) for key, value in named_variables(made(name)).items()})
        return path

    return write


def _inputs(name):
    return [golden.array(entry) for entry in golden.index()["networks"][name]["inputs"].values()]


@pytest.mark.parametrize("name", NETWORKS)
def test_keys_and_shapes(made, name):
    _, net_name, count = NETWORKS[name]
    found = [[key, list(variable.shape)] for key, variable in named_variables(made(name)).items()]
    assert found == golden.shapes()[name]["nets"][net_name]
    assert sum(int(np.prod(shape)) for _, shape in found) == count


def test_s3fd_outputs(made):
    stored = golden.load("s3fd.npz")
    outputs = made("s3fd")(*_inputs("s3fd"))
    for key, output in zip([f"{kind}{level}" for level in range(1, 7) for kind in ("cls", "reg")], outputs):
        np.testing.assert_allclose(output, stored[key], rtol=1e-4, atol=1e-4, err_msg=key)


def test_fan_outputs(made):
    heatmaps = np.transpose(made("fan")(*_inputs("fan")), (0, 3, 1, 2))
    np.testing.assert_allclose(heatmaps[:, :, ::2, 1::2], golden.load("fan.npz")["heat_s2"], atol=1e-4)


def test_enhancer_outputs(made):
    stored = golden.load("faceenhancer.npz")
    output = made("faceenhancer")(*_inputs("faceenhancer")).numpy()
    np.testing.assert_allclose(output[:, ::3, ::3], stored["out4x_s3"], atol=1e-4)
    np.testing.assert_allclose(output[:, 100:148, 90:138], stored["out4x_crop"], atol=1e-4)


def _picture(height, width, seed):
    small = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def test_detector_from_a_file_equals_network_and_decoding(made, weight_files):
    images = [_picture(240, 320, 1), _picture(160, 160, 2), _picture(240, 320, 3)]
    found = S3fdDetector(weight_files("s3fd"), smallest_face=4).detect(images)
    assert any(found)
    for image, boxes in zip(images, found):
        width, height, scale = network_size(image.shape)
        small = cv2.resize(image[:, :, ::-1], (width, height)).astype(np.float32)
        maps = [values.numpy()[0] for values in made("s3fd")(small[None])]
        expected = boxes_in_frame(select_faces(decode_maps([m[..., 1] for m in maps[::2]], maps[1::2])), scale, 4)
        assert len(boxes) == len(expected)
        np.testing.assert_allclose(boxes, expected, atol=1)
        areas = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
        assert areas == sorted(areas, reverse=True)


def test_aligner_from_a_file_equals_network_and_decoding(made, weight_files):
    aligner = FanAligner(weight_files("fan"))
    images = [_picture(240, 320, 4), _picture(64, 64, 6)]
    boxes = [[(1000, 1000, 1100, 1100), (60, 40, 180, 190)], []]
    single, averaged = aligner.align(images, boxes), aligner.align_accurately(images, boxes)
    assert [len(faces) for faces in single] == [len(faces) for faces in averaged] == [2, 0]
    assert single[0][0] is None and averaged[0][0] is None

    crops = [FanCrop.around(boxes[0][1]).shifted(shift) for shift in SAMPLE_SHIFTS]
    faces = np.stack([crop.cut(images[0])[..., ::-1] for crop in crops]).astype(np.float32) / 255
    heatmaps = np.transpose(made("fan")(faces), (0, 3, 1, 2))
    expected = np.stack([crop.to_picture(peaks(maps), 64) for crop, maps in zip(crops, heatmaps)])
    # A rounding in the network may move a maximum between cells of nearly equal height, so not every point counts.
    assert (np.abs(single[0][1] - expected[0]).max(axis=1) < 1e-6).mean() > 0.9
    assert (np.abs(averaged[0][1] - expected.mean(axis=0)).max(axis=1) < 1e-6).mean() > 0.6


@pytest.mark.slow
def test_enhancer_from_a_file(made, weight_files):
    enhancer = FaceEnhancer(weight_files("faceenhancer"))
    picture = _picture(200, 128, 7).astype(np.float32) / 255
    assert enhancer.enhance(picture).shape == picture.shape

    def network(patches):
        parameters = [np.full((len(patches), 1), value, np.float32) for value in (0.2, 1.0)]
        return made("faceenhancer")(patches, *parameters).numpy()

    expected = np.clip(enhance_in_patches(picture, network), 0, 1)
    np.testing.assert_allclose(enhancer.enhance_merger(picture), expected, atol=1e-4)
    expected = np.clip(enhance_in_patches(picture * 2 - 1, network) / 2 + 0.5, 0, 1)
    np.testing.assert_allclose(enhancer.enhance_merger(picture, full_range=True), expected, atol=1e-4)


def test_a_wrong_file_is_refused_by_name(weight_files, tmp_path):
    with pytest.raises(FormatError, match="S3FD.npy.*tensors are missing"):
        FanAligner(weight_files("s3fd"))
    with pytest.raises(UserError, match="nothing.npy"):
        S3fdDetector(tmp_path / "nothing.npy")
    cut = tmp_path / "S3FD.npy"
    cut.write_bytes(weight_files("s3fd").read_bytes()[:100_000])
    with pytest.raises(FormatError, match="S3FD.npy"):
        S3fdDetector(cut)
