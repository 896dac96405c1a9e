"""Faces that an extraction misses between two frames are searched again at their place: with the command, on pictures."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

import main
from facelib.face_finder import FoundFace
from facelib.face_type import FaceType
from facelib.finder_factory import make_finders
from facelib.gap_search import GapSearch
from facelib.track_linking import SeenFace
from samplelib.extraction import journal, pipeline
from samplelib.extraction.track_record import likeness_of_pictures
from samplelib.faces.aligned_face import read_metadata, write_metadata
from samplelib.faces.film import REPORT_NAME
from samplelib.report.cast import find_persons
from samplelib.report.faceset_report import write_report

PORTRAIT = Path(__file__).resolve().parents[2] / "scripts" / "demo_portraits" / "grace_hopper.jpg"
COUNT = 40
FLAGS = (
    "--detector", "embedded", "--face-type", "whole_face", "--max-faces-from-image", "0", "--image-size", "256",
    "--jpeg-quality", "90",
)  # fmt: skip


def background(width=960, height=540):
    random = np.random.default_rng(5)
    return cv2.resize(random.integers(70, 150, (9, 16, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def two_portraits(side=230):
    first = cv2.resize(skimage.data.astronaut()[:300, 70:370, ::-1], (side, side), interpolation=cv2.INTER_AREA)
    picture = cv2.imread(str(PORTRAIT))
    square = min(picture.shape[:2])
    return first, cv2.resize(picture[:square, :square], (side, side), interpolation=cv2.INTER_AREA)


def put(frame, portrait, left, top):
    side = portrait.shape[0]
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, (side // 2, side // 2), (int(side * 0.38), int(side * 0.48)), 0, 0, 360, 255, -1)
    weight = cv2.GaussianBlur(mask, (9, 9), 0)[..., None] / 255.0
    part = frame[top : top + side, left : left + side]
    part[:] = (part * (1 - weight) + portrait * weight).astype(np.uint8)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Two persons who cross, the one in front; frame 31 shows nobody for a moment."""
    folder = tmp_path_factory.mktemp("crossing") / "frames"
    folder.mkdir()
    front, back = two_portraits()
    for number in range(COUNT):
        frame = background()
        if number != 31:
            put(frame, back, 700 - 17 * number, 150)
            put(frame, front, 20 + 17 * number, 140)
        cv2.imwrite(str(folder / f"{number + 1:05d}.png"), frame)
    return folder


@pytest.fixture(scope="session")
def extracted(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("extracted") / "aligned"
    assert extract(clip, folder) == 0
    return folder


def extract(frames, folder, *words):
    quiet = () if "--output-debug" in words else ("--no-output-debug",)
    return main.main(["extract", "--input-dir", str(frames), "--output-dir", str(folder), *FLAGS, *words, *quiet])


def copy_of(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / folder.name))


def report_of(folder):
    return json.loads((folder / REPORT_NAME).read_text())


def center(path):
    return read_metadata(path).source_landmarks.mean(axis=0)


def test_two_who_cross_are_two_tracks_and_two_persons(extracted):
    report = report_of(extracted)
    assert report["cuts"] in ([], ["00032.png"], ["00032.png", "00033.png"])
    main_tracks = [track for track in report["tracks"] if track["faces"] >= 5]
    persons = find_persons(extracted)
    assert len([person for person in persons if len(person.faces) >= 5]) == 2
    owners = {face.name: person.name for person in persons for face in person.faces}
    for track in main_tracks:
        assert len({owners[name] for name in track["pictures"]}) == 1


def test_the_report_shows_tracks_also_after_sorting(extracted, tmp_path):
    folder = copy_of(extracted, tmp_path)
    for path in list(folder.glob("00007_*.jpg")):
        path.unlink()
    for number, path in enumerate(sorted(folder.glob("*.jpg"), reverse=True)):
        path.rename(folder / f"{number:05d}.jpg")
    write_report(tmp_path / "report.html", destination=folder)
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Tracks</h2>" in page and "missing in" in page and "jitter" in page
    assert page.count('class="track"') == len(report_of(extracted)["tracks"])
    (folder / REPORT_NAME).unlink()
    write_report(tmp_path / "report.html", destination=folder)
    assert "<h2>Tracks</h2>" not in (tmp_path / "report.html").read_text()


def test_missed_faces_are_found_again_with_the_landmarks_they_would_have_had(clip, extracted, tmp_path):
    folder = copy_of(extracted, tmp_path)
    lost = {}
    for stem in ("00005", "00006", "00009"):
        path = folder / f"{stem}_0.jpg"
        lost[stem] = read_metadata(path).source_landmarks
        path.unlink()
    assert extract(clip, folder, "--continue", "--fill-gaps") == 0
    for stem, landmarks in lost.items():
        found = read_metadata(folder / f"{stem}_0.jpg")
        assert found.source_filename == f"{stem}.png"
        side = np.ptp(landmarks, axis=0).max()
        assert np.abs(found.source_landmarks - landmarks).mean() < 0.03 * side
    filled = report_of(folder)["filled"]
    assert {name: list(kinds.values()) for name, kinds in filled.items() if name[:5] in lost} == {
        f"{stem}.png": ["found"] for stem in lost
    }
    assert not any(gap[0] in filled for track in report_of(folder)["tracks"] for gap in track["gaps"])


def test_every_frame_has_both_when_gaps_are_interpolated(clip, tmp_path):
    folder = tmp_path / "aligned"
    words = ("--fill-gaps", "interpolate", "--output-debug")
    assert extract(clip, folder, *words) == 0
    report = report_of(folder)
    assert report["cuts"] == []
    assert all(len(files) == 2 for files in report["frames"].values())
    assert list(report["filled"]["00032.png"].values()) == ["interpolated"] * 2
    assert len(report["tracks"]) == 2 and not any(track["gaps"] for track in report["tracks"])
    for number in range(COUNT):
        places = sorted(center(path)[0] for path in folder.glob(f"{number + 1:05d}_*.jpg"))
        wanted = sorted((700 - 17 * number + 115, 20 + 17 * number + 115))
        np.testing.assert_allclose(places, wanted, atol=45)
    blank = cv2.imread(str(folder.with_name("aligned_debug") / "00032.jpg"))
    assert (np.abs(blank.astype(int) - background()) > 60).any()


def test_a_second_run_finds_nothing_more_to_do(clip, tmp_path, capsys):
    folder = tmp_path / "aligned"
    assert extract(clip, folder, "--fill-gaps=interpolate") == 0
    before = {path.name: path.read_bytes() for path in folder.glob("*.jpg")}
    filled = report_of(folder)["filled"]
    capsys.readouterr()
    assert extract(clip, folder, "--continue", "--fill-gaps=interpolate") == 0
    assert "Faces missing between two frames of a track: 0." in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in folder.glob("*.jpg")} == before
    assert report_of(folder)["filled"] == filled


def test_a_run_that_was_ended_while_filling_goes_on_to_the_same_result(clip, tmp_path, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "aligned"
    assert extract(clip, whole, "--fill-gaps=interpolate") == 0
    save, saved = pipeline.save_face, []

    def dying(path, *arguments):
        saved.append(path)
        if path.name.startswith("00032"):
            raise KeyboardInterrupt
        save(path, *arguments)

    monkeypatch.setattr(pipeline, "save_face", dying)
    assert extract(clip, folder, "--fill-gaps=interpolate") == 130
    monkeypatch.setattr(pipeline, "save_face", save)
    assert extract(clip, folder, "--continue", "--fill-gaps=interpolate") == 0
    files = {path.name: path.read_bytes() for path in whole.iterdir()}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_without_the_flag_no_face_is_put_in(clip, extracted, tmp_path):
    folder = copy_of(extracted, tmp_path)
    (folder / "00005_0.jpg").unlink()
    assert extract(clip, folder, "--continue") == 0
    assert not (folder / "00005_0.jpg").exists() and report_of(folder)["filled"] == {}
    assert any(["00005.png", "00005.png"] in track["gaps"] for track in report_of(folder)["tracks"])


def test_a_record_of_an_earlier_version_has_its_cuts_looked_for(tmp_path, capsys):
    """Two shots with a face at the same place: what lies between is no gap."""
    frames, folder = tmp_path / "frames", tmp_path / "aligned"
    frames.mkdir()
    front, back = two_portraits()
    for number in range(12):
        frame = background() if number < 6 else np.full((540, 960, 3), 230, np.uint8)
        put(frame, front if number < 6 else back, 300, 150)
        cv2.imwrite(str(frames / f"{number:05d}.png"), frame)
    assert extract(frames, folder) == 0
    report = report_of(folder)
    assert report["cuts"] == ["00006.png"] and len(report["tracks"]) == 2
    for number in (5, 6):
        (folder / f"{number:05d}_0.jpg").unlink()
    del report["cuts"], report["tracks"], report["filled"]
    (folder / REPORT_NAME).write_text(json.dumps(report))
    assert extract(frames, folder, "--continue", "--fill-gaps=interpolate") == 0
    assert not list(folder.glob("00005*.jpg")) and not list(folder.glob("00006*.jpg"))
    assert "cuts" not in report_of(folder)


def test_a_journal_of_an_earlier_version_does_not_know_its_cuts(tmp_path):
    (tmp_path / journal.JOURNAL_NAME).write_text('{"options": {}}\n{"frame": "1.png", "faces": []}\n')
    assert not journal.read_state(tmp_path).knows_cuts
    (tmp_path / journal.JOURNAL_NAME).write_text('{"options": {}, "cuts": true}\n{"frame": "1.png", "faces": []}\n')
    assert journal.read_state(tmp_path).knows_cuts


def test_a_face_that_nobody_can_tell_ends_no_extraction(extracted, tmp_path):
    """Landmarks in one place: who that is cannot be asked, which is no reason to stop."""
    one, other = sorted(extracted.glob("*.jpg"))[:2]
    flat, sound = tmp_path / "flat.jpg", tmp_path / "sound.jpg"
    shutil.copy(one, flat), shutil.copy(other, sound)
    write_metadata(flat, read_metadata(flat).replace(landmarks=np.full((68, 2), 30.0)))
    faces = [SeenFace(number, np.zeros((68, 2)), path) for number, path in enumerate((flat, sound, sound))]
    likeness = likeness_of_pictures()
    assert likeness(faces[0], faces[1]) == 0.0 and likeness(faces[1], faces[2]) > 0.99


def test_one_kept_person_is_one_track_without_a_wrong_face(clip, tmp_path):
    front, _ = two_portraits()
    cv2.imwrite(str(tmp_path / "front.png"), front)
    folder = tmp_path / "aligned"
    assert extract(clip, folder, "--keep", str(tmp_path / "front.png"), "--fill-gaps=interpolate") == 0
    report = report_of(folder)
    assert [track["faces"] for track in report["tracks"]] == [COUNT]
    for number in range(COUNT):
        [path] = folder.glob(f"{number + 1:05d}_*.jpg")
        assert abs(center(path)[0] - (20 + 17 * number + 115)) < 40


@pytest.mark.parametrize("words", [("--detector", "manual"), ("--manual-output-debug-fix", "--detector", "manual")])
def test_by_hand_there_is_nothing_to_search(clip, tmp_path, words, capsys):
    arguments = ["extract", "--input-dir", str(clip), "--output-dir", str(tmp_path / "aligned"), "--fill-gaps", *words]
    assert main.main(arguments) == 2
    assert "--fill-gaps searches by itself" in capsys.readouterr().err


@pytest.fixture(scope="module")
def search():
    return GapSearch(make_finders("embedded", FaceType.WHOLE_FACE)[0][0])


def one_face(search, image):
    [face] = search.finder.find([image])[0]
    return face


def blurred(image, rect):
    return cv2.GaussianBlur(image, (0, 0), 3)


def half_hidden(image, rect):
    left, top, right, bottom = rect
    hidden = image.copy()
    hidden[top - 40 : bottom + 20, left - 10 : left + int((right - left) * 0.6)] = (90, 80, 70)
    return hidden


def without_mouth(image, rect):
    left, top, right, bottom = rect
    hidden = image.copy()
    hidden[(top + bottom) // 2 : bottom + 20, left - 10 : right + 10] = (90, 80, 70)
    return hidden


def nearly_black(image, rect):
    return (image * 0.04).astype(np.uint8)


def shaken(image, rect):
    return cv2.blur(image, (15, 1))


@pytest.mark.parametrize("spoil", [blurred, half_hidden, without_mouth, nearly_black, shaken])
def test_a_face_that_the_whole_search_misses_is_found_at_its_place(search, spoil):
    image = background()
    put(image, two_portraits(180)[0], 400, 200)
    known = one_face(search, image)
    spoiled = spoil(image, known.rect)
    assert not search.finder.find([spoiled])[0]
    found = search.find(spoiled, known)
    assert found is not None
    side = np.ptp(known.landmarks, axis=0).max()
    assert np.abs(found.landmarks - known.landmarks).mean() < 0.06 * side


def test_nothing_is_found_where_nobody_is(search):
    image = background()
    put(image, two_portraits(180)[0], 400, 200)
    known = one_face(search, image)
    assert search.find(background(), known) is None
    random = np.random.default_rng(1)
    for _ in range(40):
        scale, place = random.uniform(0.4, 2), random.uniform((100, 100), (860, 440))
        landmarks = (known.landmarks - known.landmarks.mean(axis=0)) * scale + place
        rect = (*landmarks.min(axis=0).astype(int), *landmarks.max(axis=0).astype(int))
        assert search.find(background(), FoundFace(rect, landmarks)) is None
    moved = FoundFace(tuple(value - 250 for value in known.rect), known.landmarks - 250)
    assert search.find(image, moved) is None


def test_another_face_of_the_frame_is_not_given_back(search):
    image = background()
    put(image, two_portraits(180)[0], 400, 200)
    known = one_face(search, image)
    assert search.find(image, known) is not None
    assert search.find(image, known, [known]) is None


def test_gaps_of_a_video_are_filled(clip, tmp_path):
    video, folder = tmp_path / "clip.mp4", tmp_path / "aligned"
    words = ["--input-dir", str(clip), "--output-file", str(video), "--ext", "png", "--fps", "25", "--bitrate", "8"]
    assert main.main(["videoed", "video-from-sequence", *words]) == 0
    flags = ["--output-dir", str(folder), *FLAGS, "--no-output-debug"]
    assert main.main(["extract", "--input-video", str(video), *flags]) == 0
    (folder / "00006_0.jpg").unlink()
    assert main.main(["extract", "--input-video", str(video), *flags, "--continue", "--fill-gaps=interpolate"]) == 0
    report = report_of(folder)
    assert report["filled"]["00006.png"] == {"00006_0.jpg": "found"}
    assert list(report["filled"]["00032.png"].values()) == ["interpolated"] * 2
    assert [track["faces"] for track in report["tracks"]] == [COUNT, COUNT]


def test_a_record_cannot_make_up_a_film_of_any_length():
    from samplelib.extraction.journal import ExtractionState
    from samplelib.extraction.pipeline import FrameResult
    from samplelib.extraction.run import _names_in_video

    names = ["00001.png", "00003.png", "999999999.png", "9" * 5000 + ".png", "x.png", "٣٣٣٣٣.png"]
    state = ExtractionState(results={name: FrameResult(name) for name in names})
    assert len(_names_in_video(state)) < 1100
    few = ExtractionState(results={name: FrameResult(name) for name in names[:2]})
    assert _names_in_video(few) == ["00001.png", "00002.png", "00003.png"]


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory):
    """Frames of which the seventh begins another shot."""
    frames = tmp_path_factory.mktemp("shots") / "frames"
    frames.mkdir()
    front, back = two_portraits()
    for number in range(12):
        frame = background() if number < 6 else np.full((540, 960, 3), 230, np.uint8)
        put(frame, front if number < 6 else back, 300, 150)
        cv2.imwrite(str(frames / f"{number:05d}.png"), frame)
    return frames


@pytest.mark.parametrize("last", [4, 5, 6])
@pytest.mark.parametrize("thorough", [(), ("--thorough",)])
def test_a_run_that_ended_at_a_cut_goes_on_to_the_same_report(two_shots, tmp_path, monkeypatch, thorough, last):
    whole, folder = tmp_path / "whole", tmp_path / "aligned"
    assert extract(two_shots, whole, *thorough) == 0
    record = journal.ExtractionJournal.record

    def ending(self, result):
        record(self, result)
        if result.name == f"{last:05d}.png":
            raise KeyboardInterrupt

    monkeypatch.setattr(journal.ExtractionJournal, "record", ending)
    assert extract(two_shots, folder, *thorough) == 130
    monkeypatch.setattr(journal.ExtractionJournal, "record", record)
    assert extract(two_shots, folder, "--continue", *thorough) == 0
    assert (folder / REPORT_NAME).read_bytes() == (whole / REPORT_NAME).read_bytes()
    assert report_of(folder)["cuts"] == ["00006.png"]


def test_frames_that_are_far_apart_make_no_cut(two_shots, tmp_path):
    """Two frames of different shots are left to do; none of them follows the other."""
    folder = tmp_path / "aligned"
    assert extract(two_shots, folder, "--thorough") == 0
    report = report_of(folder)
    for name in ("00002.png", "00010.png"):
        del report["frames"][name]
    (folder / REPORT_NAME).write_text(json.dumps(report))
    assert extract(two_shots, folder, "--thorough", "--continue") == 0
    assert report_of(folder)["cuts"] == ["00006.png"]
