"""Faces followed through a film are those that a search of every frame finds, in whatever pieces the film is done."""

import cv2
import numpy as np
import pytest
import skimage.data

from core.console import interact
from core.parallel import Outcome
from facelib.face_finder import FoundFace
from facelib.face_type import FaceType
from facelib.finder_factory import make_finders
from facelib.tracks import BLOCK, FaceTracker
from samplelib.extraction import pipeline
from samplelib.extraction.pipeline import ExtractSettings, SourceFrame, extract_frames, frames_of_files, with_neighbours

COUNT = BLOCK + 5


@pytest.fixture(scope="module")
def finder():
    return make_finders("embedded", FaceType.WHOLE_FACE)[0][0]


def frame(*places, shade=90):
    """A grey frame with a small portrait at each place (left, top)."""
    picture = np.full((360, 640, 3), shade, np.uint8)
    portrait = cv2.resize(skimage.data.astronaut()[:260, 90:350, ::-1], (200, 200), interpolation=cv2.INTER_AREA)
    for left, top in places:
        picture[top : top + 200, left : left + 200] = portrait
    return picture


def walk(number):
    return (20 + 12 * number, 60 + 2 * number)


class Counting:
    """A finder that counts how many frames it searches wholly."""

    def __init__(self, finder):
        self.finder, self.searched = finder, 0
        self.detector, self.aligner, self.max_faces = finder.detector, finder.aligner, finder.max_faces

    def find(self, images):
        self.searched += len(images)
        return self.finder.find(images)


def same_faces(found, wanted):
    assert [len(faces) for faces in found] == [len(faces) for faces in wanted]
    for ours, theirs in zip(found, wanted):
        for face, other in zip(ours, theirs):
            eyes = np.linalg.norm(other.landmarks[45] - other.landmarks[36])
            assert np.linalg.norm(face.landmarks - other.landmarks, axis=1).max() < 0.06 * eyes


def test_a_walking_face_is_followed_without_searching(finder):
    images = [frame(walk(number)) for number in range(8)]
    counting = Counting(finder)
    wanted = finder.find(images)
    found = FaceTracker(counting).find([*images], wanted[0], None)
    assert counting.searched == 1, "the last frame, behind which there is none that was searched"
    same_faces(found, wanted)


def test_a_face_that_comes_is_followed_back_from_the_next_searched_frame(finder):
    """It is so small that the pass over a whole frame does not see it."""

    def small(number):
        picture = np.full((720, 1280, 3), 90, np.uint8)
        if number >= 3:
            picture[300:440, 500 + 3 * number : 640 + 3 * number] = cv2.resize(
                skimage.data.astronaut()[:260, 90:350, ::-1], (140, 140), interpolation=cv2.INTER_AREA
            )
        return picture

    images = [small(number) for number in range(6)]
    behind = finder.find([images[-1]])[0]
    assert len(behind) == 1
    found = FaceTracker(finder).find(images, [], behind)
    assert [len(faces) for faces in found] == [0, 0, 0, 1, 1]


def test_a_cut_and_a_face_that_is_lost_are_searched(finder):
    images = [
        frame(walk(0)),
        frame(walk(1)),
        frame((400, 20), shade=200),
        frame((403, 22), shade=200),
        frame(shade=200),
    ]
    counting = Counting(finder)
    found = FaceTracker(counting).find([*images, images[-1]], finder.find([images[0]])[0], [])
    assert [len(faces) for faces in found] == [1, 1, 1, 1, 0] and counting.searched == 2


def test_a_second_large_face_is_noticed(finder):
    images = [frame(walk(0)), frame(walk(1), (420, 100)), frame(walk(2), (420, 100))]
    found = FaceTracker(finder).find([*images, images[-1]], finder.find([images[0]])[0], finder.find([images[-1]])[0])
    assert [len(faces) for faces in found] == [1, 2, 2]


@pytest.mark.parametrize(("side", "searched", "taken"), [(140, 0, 200), (300, 1, 300)])
def test_of_one_face_that_is_wanted_a_larger_one_takes_the_place_and_a_smaller_one_costs_nothing(
    finder, side, searched, taken
):
    def both(number):
        picture = frame(walk(number))
        portrait = skimage.data.astronaut()[:260, 90:350, ::-1]
        picture[30 : 30 + side, 300 : 300 + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        return picture

    images = [frame(walk(0)), *(both(number) for number in range(1, 4))]
    one = Counting(finder)
    one.max_faces = 1
    one.find = lambda images: [faces[:1] for faces in Counting.find(one, images)]
    behind = finder.find([images[-1]])[0][:1]
    found = FaceTracker(one).find([*images, images[-1]], finder.find([images[0]])[0], behind)
    assert one.searched == searched and [len(faces) for faces in found] == [1, 1, 1, 1]
    width = found[2][0].rect[2] - found[2][0].rect[0]
    assert 0.3 * taken < width < 0.45 * taken


def test_pictures_of_different_sizes_and_unreadable_ones_are_taken_one_by_one(finder):
    images = [frame(walk(0)), None, frame(walk(2)), frame(walk(3))[:340]]
    counting = Counting(finder)
    found = FaceTracker(counting).find(images, finder.find([images[0]])[0], None)
    assert [len(faces) for faces in found] == [1, 0, 1, 1] and counting.searched == 2


def extract(frames, folder, finder, workers=2):
    (folder / "aligned").mkdir(parents=True, exist_ok=True)
    settings = ExtractSettings(folder / "aligned", None, FaceType.WHOLE_FACE, 128)
    results = list(extract_frames(frames, [finder] * workers, settings, workers=workers, follow=True))
    return [result.name for result in results], {
        path.name: path.read_bytes() for path in (folder / "aligned").iterdir()
    }


def test_any_piece_of_a_film_gives_the_faces_of_the_whole(tmp_path, finder):
    paths = []
    for number in range(COUNT):
        paths.append(tmp_path / f"{number:05d}.png")
        cv2.imwrite(str(paths[-1]), frame(walk(number)))
    names, whole = extract(frames_of_files(paths), tmp_path / "whole", finder)
    assert names == [path.name for path in paths] and len(whole) == COUNT
    assert extract(frames_of_files(paths), tmp_path / "one thread", finder, workers=1)[1] == whole
    done = {0, 1, 2, 3, 4, 8}
    frames = with_neighbours(frames_of_files(paths), done, COUNT)
    names, rest = extract(frames, tmp_path / "rest", finder)
    left = [path.stem for number, path in enumerate(paths) if number not in done]
    assert names == [f"{stem}.png" for stem in left]
    assert rest == {f"{stem}_0.jpg": whole[f"{stem}_0.jpg"] for stem in left}


def test_only_the_neighbours_that_are_needed_are_looked_at():
    film = [SourceFrame(f"{number}", lambda: None, number) for number in range(4 * BLOCK)]
    done = set(range(len(film))) - {BLOCK + 3}
    needed = list(with_neighbours(film, done, len(film)))
    assert [item.number for item in needed] == [*range(BLOCK, 2 * BLOCK), 2 * BLOCK]
    assert [item.number for item in needed if item.wanted] == [BLOCK + 3]
    assert list(with_neighbours(film, range(len(film)), len(film))) == []


def test_frames_that_a_video_was_not_said_to_have_are_done_as_well():
    film = [SourceFrame(f"{number}", lambda: None, number) for number in range(BLOCK + 2)]
    needed = list(with_neighbours(film, set(range(BLOCK)), BLOCK))
    assert [item.number for item in needed if item.wanted] == [BLOCK, BLOCK + 1]


@pytest.mark.parametrize(("size", "most"), [((64, 64), 16), ((2160, 3840), 3), ((20000, 20000), 1)])
def test_large_frames_are_held_by_few_runs(size, most):
    picture = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (*size, 3), (0, 0, 0))
    outcome = Outcome(None, (pipeline._Loaded(SourceFrame("0", lambda: None), picture), None))
    searched, at_once = pipeline._runs_at_once(iter([outcome]), 16)
    assert list(searched) == [outcome] and at_once == most
    assert pipeline._runs_at_once(iter([]), 16)[1] == 1


def test_thorough_searches_every_frame(tmp_path, monkeypatch, capsys):
    import main
    from facelib import tracks

    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number:05d}.png"), frame(walk(number)))
    monkeypatch.setattr(tracks.FaceTracker, "find", lambda *arguments: pytest.fail("faces were followed"))
    monkeypatch.setitem(interact._state, "assume_yes", False)
    arguments = ["extract", "--input-dir", str(tmp_path), "--output-dir", str(tmp_path / "aligned"), "--detector", "embedded",
                 "--face-type", "wf", "--max-faces-from-image", "0", "--image-size", "256", "--jpeg-quality", "90",
                 "--no-output-debug", "--thorough", "--yes"]  # fmt: skip
    assert main.main(arguments) in (0, None)
    assert "Faces detected:      3" in capsys.readouterr().out


def test_the_size_of_a_box_orders_the_faces(finder):
    small, large = FoundFace((0, 0, 10, 10), None), FoundFace((50, 50, 90, 90), None)
    [found] = FaceTracker(finder).find([frame(), frame()], [small, large], [])
    assert found == [large, small]
