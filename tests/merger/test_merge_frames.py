"""Faces to frames, and motion, against DeepFaceLab's numbers."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from merge_stubs import read_json
from merge_workspace import INPUTS, Workspace

from core.errors import UserError
from merger.frames import match_faces, with_motion
from merger.run.request import MergeRequest
from merger.run.steps import collect_frames

SETS = [case for case in read_json("collect_and_motion.json") if case["frames"]]


def sample(name, source, landmarks):
    metadata = SimpleNamespace(source_filename=source, source_landmarks=np.array(landmarks, np.float64))
    return SimpleNamespace(name=name, metadata=metadata)


def samples_of(case):
    """Faces that have data, in the order in which a folder is read."""
    aligned = sorted(case["aligned"], key=lambda face: face["file"])
    return [sample(face["file"], face["source_filename"], face["landmarks"]) for face in aligned if face["landmarks"]]


@pytest.mark.parametrize("case", SETS, ids=[case["name"] for case in SETS])
def test_faces_and_motion_equal_golden(case, capsys):
    paths = [Path(name) for name in sorted(case["input_files"]) if not name.endswith(".txt")]
    frames, single = match_faces(paths, samples_of(case))
    if single:
        frames = with_motion(frames)
    assert [frame.path.name for frame in frames] == [frame["file"] for frame in case["frames"]]
    for frame, expected in zip(frames, case["frames"], strict=True):
        assert len(frame.faces) == expected["n_faces"]
        for face, first in zip(frame.faces, expected["first_landmark0"], strict=True):
            assert np.allclose(face[0], first)
        apart = (frame.motion.degrees - expected["motion_deg"] + 180) % 360 - 180
        assert abs(apart) < 1e-3 and abs(frame.motion.power - expected["motion_power"]) < 1e-3
    warnings = [line for line in case["log"] if "alignment" in line or "multiple" in line]
    printed = capsys.readouterr().out
    assert all(line in printed for line in warnings)


def test_subpixel_motion_does_not_jump():
    base = np.array(SETS[0]["aligned"][0]["landmarks"])
    paths = [Path(f"{index}.png") for index in range(12)]
    faces = [sample(f"{index}.jpg", f"{index}.png", base + [0.3 * index, 0]) for index in range(12)]
    frames, _ = match_faces(paths, faces)
    whole = [frame.motion.power for frame in with_motion(frames)[1:-1]]
    fine = [frame.motion.power for frame in with_motion(frames, subpixel=True)[1:-1]]
    assert np.ptp(whole) == 1 and np.allclose(fine, 0.6)


def test_two_frames_of_one_name_are_refused():
    with pytest.raises(UserError, match=r"1\.png"):
        match_faces([Path("1.jpg"), Path("1.png")], [])


def test_unmatched_faces_are_noticed(capsys):
    landmarks = np.zeros((68, 2))
    match_faces([Path("1.png")], [sample("a.jpg", "2.png", landmarks)])
    assert "right aligned folder" in capsys.readouterr().err
    match_faces([Path("1.png")], [sample("a.jpg", "2.png", landmarks), sample("b.jpg", "1.png", landmarks)])
    assert "2 …" in capsys.readouterr().err
    match_faces([Path("1.png")], [sample("a.jpg", "", landmarks)])
    assert "no face that names" in capsys.readouterr().err


@pytest.mark.parametrize("second_face", [False, True])
def test_a_frame_of_two_faces_stops_all_motion(tmp_path, capsys, second_face):
    """What the command hands on: motion of a walking face, and none anywhere once a frame has two."""
    workspace = Workspace(tmp_path, 0)
    paths = [workspace.frames / f"{index}.png" for index in range(4)]
    for index, path in enumerate(paths):
        workspace.add_face(INPUTS["frame_u8"], path.name, INPUTS["lm_A"] + [6 * index, 0])
    if second_face:
        shutil.copy(workspace.frames / "aligned" / "1_0.jpg", workspace.frames / "aligned" / "1_1.jpg")
    request = MergeRequest(workspace.model, "SAEHD", workspace.frames / "aligned", workspace.frames)
    frames = collect_frames(request, paths)
    assert [len(frame.faces) for frame in frames] == [1, 2 if second_face else 1, 1, 1]
    powers = [frame.motion.power for frame in frames]
    assert (not any(powers)) if second_face else (min(powers) >= 6 and max(powers) >= 12)
    assert ("multiple faces detected. Motion blur will not be used." in capsys.readouterr().out) == second_face
