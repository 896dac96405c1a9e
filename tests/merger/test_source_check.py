"""Faces are merged only into the frames that they were cut out of."""

import json

import cv2
import numpy as np
import pytest
from merge_workspace import Workspace

from core.files.imageio import read_bgr
from core.files.paths import list_images
from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from merger import source_check
from samplelib.faces.aligned_face import read_metadata, save_face

COUNT = 40
FORCE = "--force"


def scene(number, size=(320, 240)):
    """A frame in which a textured patch (the "face") moves and turns before a textured wall, and its 68 landmarks."""
    random = np.random.default_rng(1)
    wall = cv2.GaussianBlur(random.integers(0, 255, (size[1], size[0], 3), np.uint8), (0, 0), 4)
    wall = cv2.normalize(wall, None, 20, 235, cv2.NORM_MINMAX)
    patch = cv2.GaussianBlur(random.integers(0, 255, (100, 100, 3), np.uint8), (0, 0), 3)
    patch = cv2.normalize(patch, None, 0, 255, cv2.NORM_MINMAX)
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    radii = 20 + 10 * np.cos(3 * angles)
    landmarks = np.column_stack([50 + radii * np.cos(angles), 50 + radii * np.sin(angles) * 1.2])
    turn = cv2.getRotationMatrix2D((50, 50), 12 * np.sin(number / 5), 1)
    turn[:, 2] += (60 + 90 * (1 + np.sin(number / 7)) / 2, 60 + 30 * (1 + np.cos(number / 4)) / 2)
    area = cv2.warpAffine(np.full(patch.shape[:2], 255, np.uint8), turn, size)
    frame = np.where(area[..., None] > 0, cv2.warpAffine(patch, turn, size), wall)
    return frame.astype(np.uint8), transform_points(landmarks, turn)


@pytest.fixture(scope="module")
def film():
    return [scene(number) for number in range(COUNT)]


@pytest.fixture
def workspace(tmp_path, film):
    work = Workspace(tmp_path, 0)
    for number, (frame, landmarks) in enumerate(film, 1):
        cv2.imwrite(str(work.frames / f"{number:05d}.png"), frame)
        work.add_face(frame, f"{number:05d}.png", landmarks)
    return work


def put(workspace, frames):
    for path in list_images(workspace.frames):
        path.unlink()
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(str(workspace.frames / f"{number:05d}.png"), frame)


def edit_faces(workspace, edit, size=96):
    for path in list_images(workspace.frames / "aligned"):
        metadata, image = read_metadata(path), read_bgr(path)
        metadata = metadata.replace(landmarks=metadata.landmarks * size / image.shape[1])
        way = cv2.INTER_AREA if size <= image.shape[1] else cv2.INTER_LANCZOS4
        save_face(path, edit(cv2.resize(image, (size, size), interpolation=way)), metadata)


def scaled(factor):
    return lambda frames: [cv2.resize(frame, None, fx=factor, fy=factor) for frame in frames]


WRONG = {
    "half the size": (scaled(0.5), "when it was about 320x240, and it is 160x120 now"),
    "twice the size": (scaled(2), "when it was about 320x240, and it is 640x480 now"),
    "three percent smaller": (scaled(0.97), "do not fit"),
    "cropped": (lambda frames: [frame[20:, 30:] for frame in frames], "do not fit"),
    "mirrored": (lambda frames: [frame[:, ::-1] for frame in frames], "do not fit"),
    "two frames late": (lambda frames: [frames[0]] * 2 + frames[:-2], "better than"),
    "half the rate": (lambda frames: frames[::2], "do not fit"),
    "two and a half times the rate": (lambda frames: [frames[int(i / 2.5)] for i in range(100)], "do not fit"),
    "another film": (lambda frames: [scene(n + 500)[0] for n in range(COUNT)], "do not fit"),
    "black": (lambda frames: [frame * 0 for frame in frames], "do not fit"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_other_frames_are_refused(workspace, film, kind):
    change, told = WRONG[kind]
    put(workspace, change([frame for frame, _ in film]))
    code, output = workspace.merge("--yes", "--workers", "1")
    assert code == 1 and told in output and "--force" in output, output
    assert "Traceback" not in output and not workspace.results()


def test_force_goes_on_with_a_warning(workspace, film):
    put(workspace, scaled(0.5)([frame for frame, _ in film[:3]]))
    code, output = workspace.merge("--yes", FORCE)
    assert code == 0 and "Warning" in output and "because of --force" in output
    assert len(workspace.results()) == 6


def _noisy(image):
    return np.clip(image + np.random.default_rng(0).normal(0, 20, image.shape), 0, 255).astype(np.uint8)


def _graded(image):
    return np.clip(255 * (image / 255.0) ** 1.7 * [0.7, 0.9, 1.0], 0, 255).astype(np.uint8)


def _enhanced(image):
    image = image.astype(np.float32)
    return np.clip(image + 3 * (image - cv2.GaussianBlur(image, (0, 0), 1.5)), 0, 255).astype(np.uint8)


def _compressed(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 15])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    "edit, size",
    [(_compressed, 96), (_graded, 96), (_enhanced, 96), (_noisy, 96), (np.array, 64), (np.array, 256)],
    ids=["compressed", "graded", "enhanced", "noisy", "made smaller", "made larger"],
)
def test_faces_that_were_worked_on_still_fit(workspace, edit, size):
    edit_faces(workspace, edit, size)
    code, output = workspace.merge("--yes")
    assert code == 0 and "Warning" not in output, output


def test_frames_that_were_worked_on_still_fit(workspace, film):
    put(workspace, [_compressed(_graded(cv2.medianBlur(frame, 3))) for frame, _ in film])
    code, output = workspace.merge("--yes")
    assert code == 0 and "Warning" not in output, output


def test_a_few_retouched_faces_are_named_and_the_rest_is_merged(workspace):
    faces = list_images(workspace.frames / "aligned")
    for path in (faces[0], faces[-1]):
        save_face(path, np.ascontiguousarray(read_bgr(path)[::-1, ::-1]), read_metadata(path))
    code, output = workspace.merge("--yes")
    assert code == 0 and "Warning: 00001_0.jpg does not fit 00001.png" in output, output


def test_a_film_that_stands_still_is_no_reason_to_refuse(workspace, film):
    frame, landmarks = film[0]
    put(workspace, [_noisy(frame)] * COUNT)
    for number in range(1, COUNT + 1):
        workspace.add_face(frame, f"{number:05d}.png", landmarks)
    code, output = workspace.merge("--yes")
    assert code == 0 and "Warning" not in output, output


def test_the_size_that_extraction_noted_is_told(workspace, film):
    names = [f"{number:05d}.png" for number in range(1, COUNT + 1)]
    report = {
        "options": {"face_type": "full_face"},
        "unreadable_images": {},
        "frames": {name: [f"{name[:5]}_0.jpg"] for name in names},
        "frame_sizes": {name: [322, 240] for name in names},
    }
    (workspace.frames / "aligned" / "extract_report.json").write_text(json.dumps(report))
    code, output = workspace.merge("--yes")
    assert code == 1 and "when it was 322x240, and it is 320x240 now" in output, output


def test_the_extraction_notes_the_size_of_each_frame(tmp_path):
    from samplelib.extraction.journal import ExtractionJournal, ExtractionState, read_state
    from samplelib.extraction.pipeline import ExtractSettings, SourceFrame, write_frame

    settings = ExtractSettings(tmp_path, None, FaceType.FULL, 64)
    with ExtractionJournal(tmp_path, {"face_type": "f"}, ExtractionState()) as journal:
        journal.record(write_frame(SourceFrame("1.png", None), np.zeros((20, 30, 3), np.uint8), [], settings))
        assert read_state(tmp_path).results["1.png"].size == (30, 20)
        journal.finish(["1.png"])
    assert read_state(tmp_path).results["1.png"].size == (30, 20)


@pytest.mark.parametrize("face_type", [FaceType.HALF, FaceType.FULL, FaceType.WHOLE_FACE, FaceType.HEAD])
def test_all_face_types_and_sizes_are_compared_alike(film, face_type):
    faces, frames = [], [frame for frame, _ in film]
    for index in source_check.choose(COUNT):
        frame, landmarks = film[index]
        matrix = face_matrix(landmarks, 200, face_type)
        picture = cv2.warpAffine(frame, matrix, (200, 200))
        faces.append(source_check.face_to_check("f", index, picture, transform_points(landmarks, matrix), landmarks))
    wanted = source_check.frames_to_read(faces, COUNT)
    same = source_check.compare(faces, [(index, frames[index]) for index in wanted])
    assert len(same) == len(faces) == 12 and all(finding.likeness > 0.98 for finding in same)
    assert not source_check.wrong(same)
    other = source_check.compare(faces, [(index, scaled(0.5)(frames)[index]) for index in wanted])
    assert len(source_check.wrong(other)) == 12


def test_a_face_without_features_tells_nothing(film):
    frame, landmarks = film[0]
    flat = np.full((96, 96, 3), 90, np.uint8)
    matrix = face_matrix(landmarks, 96, FaceType.FULL)
    face = source_check.face_to_check("f", 0, flat, transform_points(landmarks, matrix), landmarks)
    assert source_check.compare([face], [(0, np.full_like(frame, 120))]) == []


def test_landmarks_far_outside_of_the_frame_do_not_fit(workspace, film):
    put(workspace, [frame[:60, :60] for frame, _ in film])
    code, output = workspace.merge("--yes")
    assert code == 1 and "do not fit" in output, output


def test_a_video_is_compared_as_a_folder_is(workspace, film, tmp_path):
    from core.video.frames import open_writer

    def video(name, frames):
        with open_writer(tmp_path / name, 25, (frames[0].shape[1], frames[0].shape[0])) as writer:
            for frame in frames:
                writer.write(frame)
        return tmp_path / name

    frames = [frame for frame, _ in film]
    rest = workspace.arguments("--yes", "--aligned-dir", workspace.frames / "aligned")[2:]
    for name, content, right in (("a.mp4", frames, 0), ("b.mp4", frames[::2], 1), ("c.mp4", scaled(0.5)(frames), 1)):
        process = workspace.start("--input-video", video(name, content), *rest)
        output = process.communicate("", timeout=300)[0]
        assert process.returncode == right, output
        assert ("do not fit" in output) == bool(right)
        assert len(workspace.results()) == (2 * COUNT if not right else 2 * COUNT)


def test_the_window_is_not_even_opened(workspace, film):
    put(workspace, scaled(0.5)([frame for frame, _ in film]))
    code, output = workspace.merge("--interactive")
    assert code == 1 and "do not fit" in output and not (workspace.merged / "00001.png").exists()


def test_a_frame_that_is_cut_off_is_named_and_left_out(workspace, film):
    frame = workspace.frames / "00003.png"
    data = cv2.imencode(".jpg", film[2][0], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    frame.with_suffix(".jpg").write_bytes(data[: len(data) // 2])
    frame.unlink()
    code, output = workspace.merge("--yes")
    assert code == 1 and "00003.jpg: is cut off: only the upper" in output
    assert "1 of 40 frames were not merged: 00003.jpg" in output
    assert not (workspace.merged / "00003.png").exists() and len(workspace.results()) == 2 * (COUNT - 1)
