"""Generic masks, proposed labels and the queue, on photographs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from labelled_faces import TRIANGLE, StubPredictor, run_here, run_main, write_face

from core.errors import FormatError, NothingToDo
from core.files.imageio import read_bgr
from samplelib.faces.aligned_face import read_metadata, write_metadata
from xseglib import queue
from xseglib.mask_sources import NetworkMasks
from xseglib.mesh_mask import MeshOutline, mask_of_outline, outlines_of_mask, silhouette
from xseglib.suggest import spread_evenly

FACES = Path(__file__).parents[1] / "golden" / "xseg" / "faces"


@pytest.fixture
def faces(tmp_path):
    folder = tmp_path / "aligned"
    shutil.copytree(FACES, folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@pytest.mark.parametrize("name", [path.name for path in sorted(FACES.iterdir())])
def test_the_mesh_mask_covers_the_forehead_and_follows_the_jaw(name):
    metadata = read_metadata(FACES / name)
    image = read_bgr(FACES / name)
    outline = MeshOutline()(image, metadata)
    assert 12 <= len(outline) <= 80
    mask = mask_of_outline(outline, image.shape[1], image.shape[0], 256)[:, :, 0]
    scale = 256 / image.shape[1]
    landmarks = metadata.landmarks * scale
    inner = landmarks[17:]
    rows, columns = np.rint(inner[:, 1]).astype(int), np.rint(inner[:, 0]).astype(int)
    assert mask[np.clip(rows, 0, 255), np.clip(columns, 0, 255)].mean() > 0.95
    chin, brows, eyes = landmarks[8], landmarks[17:27].mean(axis=0), landmarks[36:48].mean(axis=0)
    face_height = np.linalg.norm(chin - brows)
    forehead = brows + 0.3 * (brows - chin)
    assert mask[int(forehead[1]), int(forehead[0])] == 1
    top = outline[:, 1].min() * scale
    assert 0.32 < (brows[1] - top) / face_height < 0.85
    below = chin + 0.12 * (chin - eyes)
    assert mask[int(min(below[1], 255)), int(below[0])] == 0


def test_silhouette_of_a_face_from_the_side_contains_its_points():
    generator = np.random.default_rng(3)
    around = np.linspace(0, 2 * np.pi, 468)
    points = np.column_stack([100 + 40 * np.cos(around), 100 + 60 * np.sin(around)]) + generator.normal(0, 1, (468, 2))
    points[::3] = (100, 100) + (points[::3] - 100) * generator.uniform(0, 1, (156, 1))
    outline = silhouette(points)
    assert (np.ptp(outline, axis=0) > (70, 110)).all() and (np.ptp(outline, axis=0) < (90, 130)).all()


def test_outlines_of_masks():
    mask = np.zeros((60, 80), np.float32)
    mask[5:25, 5:25] = 1
    mask[30:58, 30:70] = 0.9
    mask[2, 70] = 1
    first, second = outlines_of_mask(mask[:, :, None], least_area=20)
    assert first[:, 0].min() == 30 and first[:, 0].max() == 69 and second[:, 1].max() == 24
    assert outlines_of_mask(np.zeros((5, 5))) == []


def test_generic_masks_through_the_command_line(faces):
    result = run_main("xseg", "apply", "--input-dir", faces, "--model-dir", faces.parent / "model_generic_xseg")
    assert result.returncode == 0, result.stderr
    assert "XSeg_256.npy" in result.stdout and "embedded face mesh" in result.stdout
    assert "Files processed: 4\n" in result.stdout
    first = {path: path.read_bytes() for path in faces.iterdir()}
    for path in faces.iterdir():
        mask = read_metadata(path).decode_xseg_mask()
        assert mask.shape == (256, 256, 1) and 0.2 < mask.mean() < 0.6 and set(np.unique(mask)) == {0, 1}
    assert run_here("xseg", "apply", "--input-dir", faces, "--model-dir", faces.parent / "x", "--generic") == 0
    assert {path: path.read_bytes() for path in faces.iterdir()} == first


def test_suggest_never_touches_labels_of_the_user(faces, capsys):
    own = faces / "000020_0.jpg"
    write_metadata(own, read_metadata(own).replace(polygons=(TRIANGLE,)))
    write_face(faces / "oval.jpg", 3)
    before = own.read_bytes()
    assert run_here("xseg", "suggest", "--input-dir", faces) == 0
    output = capsys.readouterr().out
    assert "Faces that have labels already and were left alone: 1" in output
    assert "correct them in the editor" in output
    assert own.read_bytes() == before
    for path in faces.glob("0*.jpg"):
        (polygon,) = read_metadata(path).polygons
        assert polygon.include
    assert run_here("xseg", "suggest", "--input-dir", faces, "--count", "-1") == 2


def test_suggest_for_some_faces_and_from_applied_masks(faces, capsys):
    assert run_here("xseg", "suggest", "--input-dir", faces, "--count", "2") == 0
    assert "Faces that got a label: 2" in capsys.readouterr().out
    bare = next(path for path in sorted(faces.iterdir()) if not read_metadata(path).polygons)
    mask = np.zeros((256, 256, 1), np.float32)
    mask[64:192, 32:128] = 1
    write_metadata(bare, read_metadata(bare).with_xseg_mask(mask))
    assert run_here("xseg", "suggest", "--input-dir", faces, "--from-applied") == 0
    assert "Faces that got a label: 1" in capsys.readouterr().out
    points = read_metadata(bare).polygons[0].points / (read_bgr(bare).shape[0] / 256)
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [(32, 64), (128, 192)], atol=3)


def test_spreading():
    assert spread_evenly(list("abcdef"), 2) == ["b", "e"]
    assert spread_evenly(list("abc"), 0) == spread_evenly(list("abc"), 9) == list("abc")


def test_queue_through_the_command_line(faces, capsys):
    run_here("xseg", "apply", "--input-dir", faces, "--model-dir", faces.parent / "none", "--generic")
    capsys.readouterr()
    wrong = faces / "000049_0.jpg"
    mask = read_metadata(wrong).decode_xseg_mask()
    write_metadata(wrong, read_metadata(wrong).with_xseg_mask(np.roll(mask, 60, axis=0)))
    assert run_here("xseg", "queue", "--input-dir", faces, "--show", "1") == 0
    output = capsys.readouterr().out
    assert "000049_0.jpg" in output and "video_0.jpg" not in output
    files = queue.read_queue(faces)
    assert files[0] == wrong and len(files) == 4
    files[1].unlink()
    assert len(queue.read_queue(faces)) == 3


class Constant:
    """Stands in for the mesh: always the left half."""

    def masks(self, batch):
        mask = np.zeros((256, 256, 1), np.float32)
        mask[:, :128] = 1
        return [mask] * len(batch)


def test_queue_with_a_network_leaves_labelled_faces_out(tmp_path):
    for number in range(3):
        write_face(tmp_path / f"{number}.jpg", number, polygons=[TRIANGLE] if number == 1 else [])
    entries, _ = queue.make_queue(tmp_path, NetworkMasks(StubPredictor(), None), Constant())
    assert sorted(entry.path.name for entry in entries) == ["0.jpg", "2.jpg"]
    assert entries[0].disagreement >= entries[1].disagreement > 0.3
    with pytest.raises(NothingToDo, match="xseg apply"):
        queue.make_queue(tmp_path, mesh=Constant())


def test_damaged_and_foreign_queues(tmp_path):
    with pytest.raises(FormatError, match="xseg queue"):
        queue.read_queue(tmp_path / "aligned")
    path = tmp_path / "aligned_xseg_queue.json"
    for text in ("{", "[]", '{"faces": 3}', '{"faces": [{"n": 1}]}'):
        path.write_text(text)
        with pytest.raises(FormatError):
            queue.read_queue(tmp_path / "aligned")
    path.write_text('{"faces": [{"name": "../secret.jpg"}, {"name": "gone.jpg"}]}')
    with pytest.raises(NothingToDo):
        queue.read_queue(tmp_path / "aligned")


def test_disagreement():
    full, half = np.ones((4, 4, 1)), np.zeros((4, 4, 1))
    assert queue.disagreement(half, half) == 0 and queue.disagreement(full, half) == 1
    half[:2] = 1
    assert queue.disagreement(full, half) == 0.5
