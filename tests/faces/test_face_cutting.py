"""Turning found faces back into the frame, cutting them out, and what is written: against DeepFaceLab's own results."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.files.imageio import read_bgr
from facelib.face_finder import FaceFinder, FoundFace, turn_image, unturn_points, unturn_rect
from facelib.face_type import FaceType
from facelib.landmarks import MEAN_FACE_68
from samplelib.extraction.pipeline import (
    ExtractSettings,
    SourceFrame,
    cut_faces,
    even_sized,
    extract_frames,
    write_frame,
    write_marked_frame,
)
from samplelib.faces.aligned_face import read_metadata

GOLDEN = Path(__file__).parents[1] / "golden" / "faces"
RECTS = ((60, 40, 170, 180), (60, 40, 90, 70))


@pytest.fixture(scope="module")
def stages():
    with np.load(GOLDEN / "extract_stages.npz", allow_pickle=False) as data:
        return dict(data)


def settings_for(folder, face_type=FaceType.WHOLE_FACE, size=128, debug=False, **others):
    debug_folder = folder / "debug" if debug else None
    if debug:
        debug_folder.mkdir(exist_ok=True)
    return ExtractSettings(folder, debug_folder, face_type, size, **others)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turning_back(stages, turn):
    frame = stages["image"]
    assert turn_image(frame, turn).shape == tuple(stages[f"rot{turn}_rotated_shape"])
    points = unturn_points(stages["rot_in_landmarks"], turn, frame.shape, exact=False)
    assert np.allclose(points, stages[f"rot{turn}_landmarks"], atol=1e-3)
    left, top, right, bottom = unturn_rect(stages["rot_in_rects"][0], turn, frame.shape)
    golden = stages[f"rot{turn}_rects"][0]  # with swapped corners
    assert (left, right) == tuple(sorted(golden[::2])) and (top, bottom) == tuple(sorted(golden[1::2]))


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turning_back_exactly_finds_the_same_pixel(turn):
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[7, 11] = 255
    y, x = np.argwhere(turn_image(frame, turn)[..., 0])[0]
    assert unturn_points([x, y], turn, frame.shape).tolist() == [11, 7]


@pytest.mark.parametrize(("name", "size"), [("full_face", 128), ("whole_face", 128), ("head", 160), ("mark_only", 128)])
def test_faces_are_cut_out_as_dfl_does(stages, tmp_path, name, size):
    settings = settings_for(tmp_path, FaceType.from_text(name), size)
    faces = [FoundFace(rect, stages["final_landmarks"]) for rect in RECTS]
    cuts = cut_faces("frame.png", stages["image"], faces, settings)
    assert len(cuts) == int(stages[f"{name}_count"])
    metadata = cuts[0].metadata
    assert np.allclose(metadata.landmarks, stages[f"{name}_landmarks"], atol=1e-3)
    assert metadata.face_type == name and metadata.source_filename == "frame.png"
    if name == "mark_only":
        assert metadata.image_to_face_mat is None and np.array_equal(cuts[0].picture, stages["image"])
    else:
        assert np.abs(cuts[0].picture.astype(int) - stages[f"{name}_face"]).max() <= 1
        assert np.allclose(metadata.image_to_face_mat, stages[f"{name}_mat"], atol=1e-3)


def test_a_small_rectangle_drawn_by_hand_is_not_filtered(stages, tmp_path):
    faces = [FoundFace(RECTS[1], stages["final_landmarks"])]
    settings = settings_for(tmp_path, FaceType.FULL)
    assert not cut_faces("a.png", stages["image"], faces, settings)
    assert len(cut_faces("a.png", stages["image"], faces, settings, by_hand=True)) == 1


def test_files_of_a_frame(stages, tmp_path):
    settings = settings_for(tmp_path, debug=True, jpeg_quality=95)
    frame = SourceFrame("my_clip_7.final.png", None)
    faces = [FoundFace(RECTS[0], stages["final_landmarks"]), FoundFace(RECTS[1], None)]
    result = write_frame(frame, stages["image"], faces, settings)
    assert result.files == ("my_clip_7.final_0.jpg",)
    metadata = read_metadata(tmp_path / result.files[0])
    assert metadata.source_filename == frame.name
    assert metadata.source_rect.tolist() == list(RECTS[0])
    assert np.allclose(metadata.source_landmarks, stages["final_landmarks"])
    drawing = read_bgr(tmp_path / "debug" / "my_clip_7.final.jpg")
    assert drawing.shape == stages["image"].shape
    assert np.abs(drawing.astype(int) - stages["image"]).max() > 100


def test_a_mark_that_is_taken_away_takes_its_file_along(stages, tmp_path):
    settings, frame = settings_for(tmp_path), SourceFrame("a.png", None)
    first = write_marked_frame(frame, stages["image"], FoundFace(RECTS[0], stages["final_landmarks"]), settings)
    assert (tmp_path / "a_0.jpg").exists()
    assert write_marked_frame(frame, stages["image"], None, settings, first.files).files == ()
    assert not (tmp_path / "a_0.jpg").exists()


def test_interpolations_differ(stages, tmp_path):
    faces = [FoundFace(RECTS[0], stages["final_landmarks"])]
    pictures = [
        cut_faces("a.png", stages["image"], faces, settings_for(tmp_path, interpolation=name))[0].picture
        for name in ("linear", "cubic", "lanczos")
    ]
    assert not np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[1], pictures[2])


@pytest.mark.parametrize("shape", [(5, 7, 3), (4, 6, 3), (1, 1, 3), (1, 2, 3)])
def test_odd_sizes_are_cut(shape):
    height, width = even_sized(np.zeros(shape, np.uint8)).shape[:2]
    assert (height, width) == (max(1, shape[0] - shape[0] % 2), max(1, shape[1] - shape[1] % 2))


class ColourDetector:
    """Sees the bounding box of pure red pixels, but only when it is higher than wide."""

    def __init__(self, wide_too=False):
        self.wide_too, self.calls = wide_too, 0

    def detect(self, images):
        self.calls += 1
        return [self._one(image) for image in images]

    def _one(self, image):
        rows, columns = np.nonzero((image == (0, 0, 255)).all(axis=2))
        if not len(rows):
            return []
        box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        upright = box[3] - box[1] > box[2] - box[0]
        return [box] if upright or self.wide_too else []


class BoxAligner:
    """Puts the mean face into each box."""

    def align(self, images, boxes):
        return [[MEAN_FACE_68 * (box[2] - box[0], box[3] - box[1]) + box[:2] for box in rects] for rects in boxes]

    align_accurately = align


def frame_with_box(left, top, right, bottom, shape=(200, 300, 3)):
    frame = np.zeros(shape, np.uint8)
    frame[top:bottom, left:right] = (0, 0, 255)
    return frame


def test_a_lying_face_is_found_in_the_turned_frame():
    frames = [frame_with_box(50, 60, 150, 100), frame_with_box(20, 10, 60, 90), np.zeros((200, 300, 3), np.uint8)]
    lying, upright, none = FaceFinder(ColourDetector(), BoxAligner()).find(frames)
    assert none == [] and upright[0].rect == (20, 10, 60, 90) and lying[0].rect == (50, 60, 150, 100)
    right_eye, left_eye = lying[0].landmarks[36], lying[0].landmarks[45]
    assert abs(right_eye[0] - left_eye[0]) < 1 and abs(right_eye[1] - left_eye[1]) > 20


def test_small_frames_are_not_searched():
    detector = ColourDetector()
    assert FaceFinder(detector, BoxAligner()).find([frame_with_box(5, 5, 20, 40, (100, 300, 3))]) == [[]]
    assert detector.calls == 0


def test_the_largest_faces_are_kept():
    class Three(ColourDetector):
        def _one(self, image):
            return [(0, 0, 90, 90), (0, 0, 50, 50), (0, 0, 40, 40)]

    assert len(FaceFinder(Three(), BoxAligner(), max_faces=2).find([np.zeros((200, 200, 3), np.uint8)])[0]) == 2
    assert len(FaceFinder(Three(), BoxAligner()).find([np.zeros((200, 200, 3), np.uint8)])[0]) == 3


def test_second_pass_goes_by_the_only_face_seen_in_the_aligned_picture():
    frame = frame_with_box(100, 60, 160, 140)
    plain = FaceFinder(ColourDetector(), BoxAligner()).find([frame])[0][0].landmarks
    refined = FaceFinder(ColourDetector(wide_too=True), BoxAligner(), second_pass=True).find([frame])[0][0].landmarks
    assert not np.allclose(plain, refined)
    assert np.abs(refined.mean(axis=0) - plain.mean(axis=0)).max() < 25

    class Two(ColourDetector):
        def _one(self, image):
            found = super()._one(image)
            return found * 2 if image.shape[0] == 256 else found

    unrefined = FaceFinder(Two(), BoxAligner(), second_pass=True).find([frame])[0][0].landmarks
    assert np.allclose(unrefined, plain)


@pytest.mark.parametrize(("finders", "batch_size", "workers"), [(1, 1, 1), (1, 4, 2), (3, 2, 3)])
def test_pipeline_keeps_order_and_names_bad_frames(tmp_path, finders, batch_size, workers):
    from core.errors import FormatError

    def load(number):
        if number == 5:
            raise FormatError("frame 5", "is damaged")
        return frame_with_box(40 + number, 30, 90 + number, 110)

    frames = [SourceFrame(f"{number:02d}.png", lambda number=number: load(number)) for number in range(11)]
    settings = settings_for(tmp_path)
    makers = [FaceFinder(ColourDetector(), BoxAligner()) for _ in range(finders)]
    results = list(extract_frames(iter(frames), makers, settings, batch_size, workers))
    assert [result.name for result in results] == [frame.name for frame in frames]
    assert results[5].error == "frame 5: is damaged" and results[5].files == ()
    assert all(result.files == (f"{result.name[:2]}_0.jpg",) for result in results if result.error is None)
    rects = [read_metadata(tmp_path / result.files[0]).source_rect[0] for result in results if result.files]
    assert rects == [40 + number for number in range(11) if number != 5]


def test_pipeline_does_not_run_ahead(tmp_path):
    loaded = []

    def frames():
        for number in range(200):
            loaded.append(number)
            yield SourceFrame(f"{number}.png", lambda: frame_with_box(40, 30, 90, 110))

    results = extract_frames(frames(), [FaceFinder(ColourDetector(), BoxAligner())], settings_for(tmp_path), 2, 2)
    for _ in range(3):
        next(results)
    assert len(loaded) < 40
    results.close()


def test_pipeline_stops_when_a_file_cannot_be_written(tmp_path, monkeypatch):
    import errno

    from core.errors import UserError
    from core.files import paths

    frames = [SourceFrame(f"{n}.png", lambda: frame_with_box(40, 30, 90, 110)) for n in range(6)]
    real, count = paths.os.replace, []

    def full(source, target):
        count.append(target)
        if len(count) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(paths.os, "replace", full)
    results = []
    with pytest.raises(UserError, match="No space left"):
        for result in extract_frames(
            frames, [FaceFinder(ColourDetector(), BoxAligner())], settings_for(tmp_path), 1, 1
        ):
            results.append(result)
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{n}_0.jpg" for n in range(3)]
    assert [result.name for result in results] == ["0.png", "1.png", "2.png"]


def test_faces_in_sixteen_bit_and_grey_frames(tmp_path):
    from samplelib.extraction.pipeline import frames_of_files

    frame = frame_with_box(40, 30, 90, 110)
    cv2.imwrite(str(tmp_path / "deep.png"), frame.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "grey.png"), frame[..., 2])
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([frame, frame[..., 2]]))
    paths = [tmp_path / name for name in ("deep.png", "grey.png", "alpha.png")]
    deep, grey, alpha = [item.load() for item in frames_of_files(paths)]
    assert np.array_equal(deep, frame) and np.array_equal(alpha, frame)
    assert grey.shape == frame.shape and grey.dtype == np.uint8
