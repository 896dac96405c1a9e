"""Near-duplicates, persons and landmark errors on faces that were made to show them."""

import cv2
import numpy as np
import pytest

from core.errors import FormatError, UserError
from facelib.landmarks import MEAN_FACE_68
from facelib.recognition.embedding import SIZE, NetworkEmbedding, TextureEmbedding, aligned_crop
from samplelib.faces import grouping
from samplelib.faces import persons as persons_module
from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.sorting import duplicates, extra_methods
from samplelib.sorting.landmark_errors import NO_FACE, mesh_error, time_errors
from samplelib.sorting.methods import SortOptions, sort_pictures

FACE = 160


def _texture(person, size=FACE):
    """A pattern that is the person's own: stripes of another direction and width in each of 5 × 5 fields."""
    generator = np.random.default_rng(person + 100)
    angle, width = generator.uniform(0, np.pi, (5, 5)), generator.uniform(4, 12, (5, 5))
    fields = np.arange(size) * 5 // size
    angle, width = angle[np.ix_(fields, fields)], width[np.ix_(fields, fields)]
    y, x = np.mgrid[:size, :size]
    stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / width)
    return (127 + stripes[:, :, None] * [90, 80, 100]).astype(np.uint8)


def _landmarks(size=FACE):
    return (MEAN_FACE_68.astype(np.float64) - 0.5) * size * 0.55 + size / 2


def _shot(person, number):
    """A picture of a person in other light, with noise, and a little off."""
    generator = np.random.default_rng(1000 * person + number)
    matrix = cv2.getRotationMatrix2D((FACE / 2, FACE / 2), generator.normal(0, 4), generator.uniform(0.9, 1.1))
    image = cv2.warpAffine(_texture(person), matrix, (FACE, FACE), borderMode=cv2.BORDER_REFLECT)
    image = np.clip(image * generator.uniform(0.7, 1.2) + generator.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    landmarks = _landmarks() @ matrix[:, :2].T + matrix[:, 2]
    return image, landmarks


@pytest.fixture
def persons(tmp_path, monkeypatch):
    """Person 0 five times, 1 three times, 2 twice, in mixed order, and a picture without face data; told apart by texture."""
    monkeypatch.setattr(persons_module, "open_embedding", lambda model=None, name=None: TextureEmbedding())
    folder = tmp_path / "aligned"
    folder.mkdir()
    for number, person in enumerate((1, 0, 2, 0, 0, 1, 2, 0, 1, 0)):
        image, landmarks = _shot(person, number)
        save_face(folder / f"{number}_{person}.jpg", image, FaceMetadata("whole_face", landmarks), 95)
    cv2.imwrite(str(folder / "plain.png"), _texture(9))
    return folder


def _persons_of(paths):
    return [int(path.stem.split("_")[1]) for path in paths]


def test_persons_are_grouped_largest_first(persons, capsys):
    result = sort_pictures(sorted(persons.iterdir()), "identity", SortOptions())
    assert _persons_of(result.order) == [0] * 5 + [1] * 3 + [2] * 2
    assert [path.name for path in result.trash] == ["plain.png"]
    out = capsys.readouterr().out
    assert "3 groups of faces" in out and "1: 5 faces, 00000 … 00004" in out and "rough guess" in out


def test_one_person_is_kept_under_its_names(persons):
    result = sort_pictures(sorted(persons.iterdir()), "identity", SortOptions(identity=persons / "0_1.jpg"))
    assert result.order == [] and sorted(_persons_of(result.trash)) == [0] * 5 + [2] * 2
    nobody = sort_pictures(
        sorted(persons.iterdir()), "identity", SortOptions(identity=persons / "0_1.jpg", threshold=2)
    )
    assert len(nobody.trash) == 10


def test_a_reference_without_a_face_is_refused(persons, tmp_path):
    empty = tmp_path / "wall.png"
    cv2.imwrite(str(empty), np.full((300, 300, 3), 127, np.uint8))
    with pytest.raises(UserError, match="wall.png: no face found"):
        persons_module.embed_reference(empty, TextureEmbedding())
    with pytest.raises(UserError, match="no such file"):
        persons_module.embed_reference(tmp_path / "nobody.jpg", TextureEmbedding())


def test_grouping_has_every_member_once():
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(200, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for threshold in (-1.0, 0.3, 0.999):
        groups = grouping.group_by_likeness(vectors, threshold)
        assert sorted(np.concatenate(groups)) == list(range(200))
        sizes = [len(members) for members in groups]
        assert sizes == sorted(sizes, reverse=True)
    assert len(grouping.group_by_likeness(vectors, -1.0)) == 1


def test_a_large_group_does_not_swallow_others():
    """All faces are rather alike (cosine 0.83), those of one person more so (0.95); means are alike all the same."""
    generator = np.random.default_rng(8)
    directions = np.linalg.qr(generator.normal(size=(120, 120)))[0]
    persons = np.repeat([0, 1, 2], [60, 5, 3])
    generator.shuffle(persons)
    parts = np.sqrt([0.83, 0.12, 0.05])
    vectors = np.stack(
        [parts @ directions[[0, 1 + person, 10 + number]] for number, person in enumerate(persons)]
    ).astype(np.float32)
    groups = grouping.group_by_likeness(vectors, 0.88)
    assert [set(persons[members]) for members in groups] == [{0}, {1}, {2}]


def test_texture_embedding_is_the_same_for_the_mirror_image():
    crop = aligned_crop(*_shot(3, 1))
    embedding = TextureEmbedding()
    first, mirrored, other = embedding.embed([crop, crop[:, ::-1].copy(), aligned_crop(*_shot(4, 1))])
    assert first @ mirrored > 0.999 > 0.88 > first @ other
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-6)


def _onnx_file(path, shape, reshape_to=(0, -1)):
    """A network that averages 16 × 16 blocks and lists the values."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("AveragePool", ["face"], ["small"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["small", "shape"], ["vector"]),
    ]
    target = onnx.numpy_helper.from_array(np.array(reshape_to, np.int64), "shape")
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("face", kinds.FLOAT, shape)],
        [helper.make_tensor_value_info("vector", kinds.FLOAT, None)],
        [target],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_a_network_of_the_user_is_run_on_rgb_in_minus_one_to_one(tmp_path, batch):
    pytest.importorskip("onnxruntime")
    embedding = NetworkEmbedding(_onnx_file(tmp_path / "arc.onnx", [batch, 3, SIZE, SIZE]))
    crops = [aligned_crop(*_shot(person, 0)) for person in range(3)]
    vectors = embedding.embed(crops)
    assert vectors.shape == (3, 3 * 49) and "arc.onnx" in embedding.description
    pixels = (crops[2][..., ::-1].astype(np.float32) - 127.5) / 127.5
    expected = pixels.reshape(7, 16, 7, 16, 3).mean(axis=(1, 3)).transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(vectors[2], expected / np.linalg.norm(expected), atol=1e-5)


def test_unsuitable_networks_are_refused_by_name(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(FormatError, match="wide.onnx.*112 × 112"):
        NetworkEmbedding(_onnx_file(tmp_path / "wide.onnx", ["N", 3, 160, 160]))
    with pytest.raises(FormatError, match="grey.onnx.*expected one input"):
        NetworkEmbedding(_onnx_file(tmp_path / "grey.onnx", ["N", 1, SIZE, SIZE]))
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(FormatError, match="text.onnx.*is no ONNX network"):
        NetworkEmbedding(tmp_path / "text.onnx")
    with pytest.raises(UserError, match="none.onnx: no such file"):
        NetworkEmbedding(tmp_path / "none.onnx")


def test_of_near_duplicates_the_sharpest_stays(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for person in range(6):
        generator = np.random.default_rng(person)
        sharp = cv2.resize(
            generator.integers(40, 216, (9, 9, 3), np.uint8), (FACE, FACE), interpolation=cv2.INTER_NEAREST
        )
        for number, image in enumerate((cv2.GaussianBlur(sharp, (0, 0), 3), sharp, cv2.GaussianBlur(sharp, (0, 0), 1))):
            dimmed = (image * (0.9 + 0.05 * number)).astype(np.uint8)
            save_face(folder / f"{person}_{number}.jpg", dimmed, FaceMetadata("whole_face", _landmarks()), 80 + number)
    result = sort_pictures(sorted(folder.iterdir()), "duplicates", SortOptions())
    assert result.order == []
    kept = sorted({path.stem for path in folder.iterdir()} - {path.stem for path in result.trash})
    assert kept == [f"{person}_1" for person in range(6)]
    none = sort_pictures(sorted(folder.iterdir()), "duplicates", SortOptions(threshold=256))
    assert len(none.trash) == 17


def test_hash_of_flat_and_grey_pictures_is_stable():
    flat = duplicates.perceptual_hash(np.full((64, 64, 3), 77, np.uint8))
    assert flat.shape == (32,) and flat.dtype == np.uint8
    keep = duplicates.keep_best_of_alike(np.stack([flat, flat, ~flat]), np.array([1.0, 1.0, 0.0]))
    assert keep.tolist() == [True, False, True]


def _face_at(frame, offset, error=0.0, clip="a"):
    points = _landmarks() + offset
    points[30:60] += error
    return FaceMetadata("whole_face", _landmarks(), f"{clip}{frame:04d}.png", source_landmarks=points)


def test_a_jump_in_time_is_found_and_steady_motion_is_not():
    faces = [_face_at(frame, [4 * frame, 2 * frame]) for frame in range(12)]
    assert time_errors(faces).max() < 1e-9
    faces[6] = _face_at(6, [24, 12], error=25)
    errors = time_errors(faces)
    assert errors.argmax() == 6 and errors[6] > 0.1
    other_clip = [_face_at(5, [500, 0], clip="b"), FaceMetadata("whole_face", _landmarks())]
    assert time_errors([*faces, *other_clip])[12:].tolist() == [0, 0]


class _Aligner:
    """Sees the mean face, or none."""

    def __init__(self, found):
        self._found = found

    def align_one(self, image, box, accurate):
        return self._found


def test_error_against_the_mesh_is_in_eye_distances():
    face = FaceMetadata("whole_face", _landmarks())
    image = _texture(0)
    assert mesh_error(image, face, _Aligner(_landmarks())) == 0
    eyes = np.linalg.norm(_landmarks()[36:42].mean(axis=0) - _landmarks()[42:48].mean(axis=0))
    assert mesh_error(image, face, _Aligner(_landmarks() + [eyes / 2, 0])) == pytest.approx(0.5)
    assert mesh_error(image, face, _Aligner(None)) == NO_FACE


def test_faces_without_a_face_come_first_or_go(persons):
    paths = sorted(persons.glob("*.jpg"))[:3]
    result = extra_methods.by_landmark_error(paths, SortOptions())
    assert sorted(result.order) == paths and result.trash == []
    result = extra_methods.by_landmark_error(paths, SortOptions(threshold=0.3))
    assert sorted(result.trash) == paths


def test_on_a_real_face_good_landmarks_score_low_and_wrong_ones_high():
    from skimage.data import astronaut

    from facelib.aligners.embedded import EmbeddedAligner
    from facelib.detectors.embedded import EmbeddedDetector

    image, aligner = np.ascontiguousarray(astronaut()[:300, 100:350, ::-1]), EmbeddedAligner()
    boxes = EmbeddedDetector().detect([image])[0]
    landmarks = aligner.align([image], [boxes[:1]])[0][0]
    assert mesh_error(image, FaceMetadata("mark_only", landmarks), aligner) < 0.05
    shifted = landmarks + [0.25 * np.ptp(landmarks[:, 0]), 0]
    assert mesh_error(image, FaceMetadata("mark_only", shifted), aligner) > 0.2
