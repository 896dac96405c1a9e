"""One person is picked out of several: by the recognition network, while extracting and while merging."""

import importlib.util
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

import main
from core.console import interact
from core.errors import UserError
from facelib.aligners.embedded import EmbeddedAligner
from facelib.detectors.embedded import EmbeddedDetector
from facelib.recognition.resnet import ResnetEmbedding
from merger.run.request import MergeRequest
from merger.run.steps import collect_frames
from samplelib.faces import persons
from samplelib.faces.aligned_face import SegPolygon, read_metadata, write_metadata
from samplelib.faces.persons import KnownPerson

ROOT = Path(__file__).resolve().parents[2]
PORTRAITS = Path(__file__).resolve().parents[2] / "scripts" / "demo_portraits"
SIDE = 240


def portrait(person):
    if person == "astronaut":
        return cv2.resize(skimage.data.astronaut()[:300, 70:370, ::-1], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    picture = cv2.imread(str(PORTRAITS / "grace_hopper.jpg"))
    side = min(picture.shape[:2])
    return cv2.resize(picture[:side, :side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def seen_otherwise(picture, turn, light, mirrored=False):
    """The portrait turned, lit from one side and mirrored."""
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), turn, 1.0)
    turned = cv2.warpAffine(picture, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    shade = np.linspace(1.0, light, SIDE)[None, :, None]
    lit = np.clip(turned * shade, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(lit[:, ::-1]) if mirrored else lit


def vector_of(embedding, picture):
    boxes = EmbeddedDetector().detect([picture])[0]
    [landmarks] = EmbeddedAligner().align([picture], [boxes[:1]])[0]
    return embedding.embed([embedding.crop(picture, landmarks)])[0]


@pytest.fixture(scope="module")
def embedding():
    return ResnetEmbedding()


def test_a_person_is_known_in_another_light_and_strangers_are_not(embedding):
    vectors = {
        person: np.stack([
            vector_of(embedding, seen_otherwise(portrait(person), turn, light, mirrored))
            for turn, light, mirrored in ((0, 1.0, False), (12, 0.4, False), (-10, 1.4, True))
        ])
        for person in ("astronaut", "hopper")
    }  # fmt: skip
    for mine in vectors.values():
        np.testing.assert_allclose(np.linalg.norm(mine, axis=1), 1, rtol=1e-5)
        assert (mine @ mine.T).min() > 0.8
    assert (vectors["astronaut"] @ vectors["hopper"].T).max() < 0.45


# Dies while it writes the face of the other person in the third frame.
KILLED = """
import os, signal, sys
import main
from samplelib.extraction import pipeline
save = pipeline.save_face
def fatal(path, *rest):
    if path.name == "00002_1.jpg":
        os.kill(os.getpid(), signal.SIGKILL)
    save(path, *rest)
pipeline.save_face = fatal
main.main(sys.argv[1:])
"""


def film(folder, frames=4):
    """Two persons who walk towards each other; returns the folder."""
    folder.mkdir(parents=True)
    for number in range(frames):
        picture = np.full((320, 640, 3), 90, np.uint8)
        left, right = 10 + 6 * number, 390 - 6 * number
        picture[40 : 40 + SIDE, left : left + SIDE] = portrait("hopper")
        picture[20 : 20 + SIDE, right : right + SIDE] = portrait("astronaut")
        cv2.imwrite(str(folder / f"{number:05d}.png"), picture)
    return folder


@pytest.fixture
def extract(tmp_path):
    """Runs ``extract`` on a film of two persons; returns the exit code, and the left side of each kept and each other face."""
    frames = film(tmp_path / "frames")
    reference = tmp_path / "astronaut.png"
    cv2.imwrite(str(reference), seen_otherwise(portrait("astronaut"), 8, 0.6))

    def run(*words, keep=reference):
        arguments = ["extract", "--input-dir", frames, "--output-dir", tmp_path / "aligned", "--detector", "embedded",
                     "--face-type", "wf", "--max-faces-from-image", "0", "--image-size", "256", "--jpeg-quality", "90",
                     "--no-output-debug", "--cpu-only", "--keep-priority", "--yes", "--keep", keep, *words]  # fmt: skip
        run.words = [str(word) for word in arguments]
        code = main.main(run.words)
        interact.configure(assume_yes=False)
        return code, *(
            {path.name: int(read_metadata(path).source_rect[0]) for path in sorted((tmp_path / name).glob("*.jpg"))}
            for name in ("aligned", "aligned_others")
        )

    return run


def test_of_two_persons_one_is_kept_and_the_other_goes_beside(extract, capsys):
    code, kept, others = extract()
    assert code == 0 and list(kept) == [f"{number:05d}_0.jpg" for number in range(4)] and min(kept.values()) > 380
    assert list(others) == [f"{number:05d}_1.jpg" for number in range(4)] and max(others.values()) < 250
    told = capsys.readouterr().out
    assert (
        "like astronaut.png by at least 0.6, told by the recognition network" in told and "go to aligned_others" in told
    )


def test_the_number_of_faces_counts_those_of_the_person(extract):
    _, kept, others = extract("--max-faces-from-image", "1")
    assert len(kept) == len(others) == 4 and min(kept.values()) > 380


def test_a_likeness_that_nobody_reaches_keeps_nobody(extract):
    _, kept, others = extract("--keep-likeness", "0.999")
    assert not kept and sorted(others) == [f"{number:05d}_{index}.jpg" for number in range(4) for index in range(2)]
    # The next run takes away what this one has left beside the faces.
    _, kept, others = extract("--restart")
    assert len(kept) == len(others) == 4


@pytest.mark.parametrize("content", ["nothing", "a wall", "no file"])
def test_a_picture_without_a_person_is_refused(extract, tmp_path, content, capsys):
    picture = tmp_path / "wall.png"
    if content == "a wall":
        cv2.imwrite(str(picture), np.full((300, 300, 3), 127, np.uint8))
    elif content == "nothing":
        picture.mkdir()
    code, kept, _ = extract(keep=picture)
    assert code != 0 and not kept
    assert {"a wall": "no face found", "nothing": "no images", "no file": "no such file"}[
        content
    ] in capsys.readouterr().err


def test_merging_takes_the_faces_of_one_person(extract, tmp_path, capsys):
    extract("--keep-likeness", "-1")
    frames = sorted((tmp_path / "frames").iterdir())
    request = MergeRequest(tmp_path, "SAEHD", tmp_path / "aligned", input_dir=tmp_path / "frames", force=True)
    assert [len(frame.faces) for frame in collect_frames(request, frames)] == [2] * 4
    one = MergeRequest(tmp_path, "SAEHD", tmp_path / "aligned", input_dir=tmp_path / "frames", force=True,
                       keep=[tmp_path / "astronaut.png"])  # fmt: skip
    found = collect_frames(one, frames)
    assert [len(frame.faces) for frame in found] == [1] * 4
    assert all(frame.faces[0][:, 0].min() > 380 for frame in found)
    assert "4 of 8 faces are merged" in capsys.readouterr().out
    nobody = MergeRequest(tmp_path, "SAEHD", tmp_path / "aligned", input_dir=tmp_path / "frames", force=True,
                          keep=[tmp_path / "astronaut.png"], keep_likeness=0.9999)  # fmt: skip
    with pytest.raises(UserError, match="None of the faces is like"):
        collect_frames(nobody, frames)


def test_a_folder_of_pictures_is_one_person(tmp_path, embedding):
    for number, person in enumerate(("astronaut", "hopper")):
        cv2.imwrite(str(tmp_path / f"{number}.png"), portrait(person))
    both = KnownPerson([tmp_path], embedding=embedding)
    for person in ("astronaut", "hopper"):
        picture = seen_otherwise(portrait(person), 5, 0.7)
        boxes = EmbeddedDetector().detect([picture])[0]
        [landmarks] = EmbeddedAligner().align([picture], [boxes[:1]])[0]
        assert both.is_shown(picture, landmarks)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_onnx_runtime_the_texture_is_a_fallback_that_says_so(monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else find(name, *rest))
    assert "rough guess" in persons.open_embedding().description


def test_labels_in_a_face_of_another_person_are_kept(extract, tmp_path):
    extract()
    path = tmp_path / "aligned_others" / "00002_1.jpg"
    polygon = SegPolygon(True, np.array([[1, 1], [9, 1], [9, 9]], np.float32))
    write_metadata(path, read_metadata(path).replace(polygons=(polygon,)))
    extract("--restart")
    kept = [read_metadata(file) for file in tmp_path.rglob("*.jpg") if file.parent.name == "aligned_others_trash"]
    assert any(metadata.polygons for metadata in kept)


def test_a_killed_extraction_of_one_person_is_finished_to_the_same_faces(extract, tmp_path, monkeypatch):
    extract()
    wanted = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("aligned*/*.jpg")}
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("aligned*/*"))
    for folder in ("aligned", "aligned_others", "aligned_trash", "aligned_others_trash"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *extract.words], timeout=120, cwd=ROOT, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list(tmp_path.glob("aligned*/*.jpg"))) < len(wanted)
    extract()
    assert {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("aligned*/*.jpg")} == wanted
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.glob("aligned*/*")) == names, "nothing else is left"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("extract --input-dir {0} --output-dir {0}/a --keep-likeness 0.5", "--keep-likeness belongs to --keep"),
        ("extract --input-dir {0} --output-dir {0}/a --detector manual --keep {0}/p.png", "by hand you pick them yourself"),
        ("merge --input-dir {0} --output-dir {0}/m --output-mask-dir {0}/k --model-dir {0} --model SAEHD --keep-likeness 0.5",
         "--keep-likeness belongs to --keep"),
    ],
)  # fmt: skip
def test_flags_that_would_do_nothing_are_refused(tmp_path, capsys, words, told):
    assert main.main([*words.format(tmp_path).split(), "--keep-priority", "--yes"]) == 2
    interact.configure(assume_yes=False)
    assert told in capsys.readouterr().err
