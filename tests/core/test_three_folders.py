"""The workspace of three folders and two videos, and every step run beside folders of other names."""

import functools
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import main
from core.console import interact
from mainscripts.jobs.step_table import folders, load_steps

ROOT = Path(__file__).resolve().parents[2]
STEPS = load_steps()
FRAMES = 3
VIDEOS = {"data_src.mp4", "data_dst.mp4"}
# In each of them is a labelled face and a text; nobody but the user knows what they are.
FOREIGN = ("mine", "data_src_old", "data_src/mine", "data_src/aligned/mine", "data_src/aligned-copy", "data_src/aligned_old",
           "data_dst/mine", "data_dst/aligned/mine", "data_dst/aligned-copy", "data_dst/merged_old", "model/mine")  # fmt: skip
FILES = ("notes.txt", "holiday.mov", "data_src/notes.txt", "data_dst/aligned/notes.txt", "model/notes.txt")

SETS = ("aligned", "aligned_resized", "aligned_xseg")
MADE_FOLDERS = {"data_src", "data_dst", "model", *(f"data_{side}/{name}" for side in ("src", "dst") for name in SETS)} | {
    "data_src/aligned_enhanced", "data_dst/aligned_debug", "data_dst/merged", "data_dst/merged_mask",
}  # fmt: skip
# What steps throw out is kept beside the folder that it came from.
MADE_FOLDERS |= {"data_dst/aligned_debug_trash"} | {
    f"data_{side}/aligned_trash{part}" for side in ("src", "dst") for part in ("", "/removed_labels", "/removed_masks")
}

FACE = ("--face-type", "whole_face", "--image-size", "256", "--jpeg-quality", "90")
AGAIN = (*FACE, "--restart", "--yes")
BATCH = ("--set", "batch_size=2", "--target-iter", "1", "--no-preview", "--cpu-only", "--silent-start")
TINY = (*BATCH, "--set", "resolution=64", "--set", "face_type=f", "--set", "ae_dims=32", "--set", "e_dims=16",
        "--set", "d_dims=16", "--set", "d_mask_dims=16", "--set", "fuse_update=n")  # fmt: skip
SAEHD = ("--force-model-name", "one", "--set", "archi=df", *TINY)
AMP = ("--force-model-name", "two", "--set", "inter_dims=32", *TINY)
QUICK = ("--force-model-name", "three", "--set", "fuse_update=n", *BATCH)
MERGE = ("--non-interactive", "--overwrite", "--mode", "overlay", "--mask-mode", "dst", "--color-transfer-mode", "rct",
         "--cpu-only", "--workers", "2")  # fmt: skip
# Step, flags, answers, and what has to come into being (below the workspace) or be said.
PLAN = (
    ("cut-video", ("--from-time", "00:00:00.000", "--to-time", "00:00:00.080", "--bitrate", "4"), "data_src_cut.mp4"),
    ("extract-video-src", ("--fps", "0", "--output-ext", "png"), "data_src/00003.png"),
    ("extract-video-dst", ("--output-ext", "png"), "data_dst/00003.png"),
    ("denoise-dst", ("--factor", "1"), "data_dst/00003.png"),
    ("extract-src-manual", (*FACE, "--max-faces-from-image", "1", "--no-output-debug"), "by hand: 00001.png 00002.png"),
    ("extract-src", (*AGAIN, "--max-faces-from-image", "1", "--no-output-debug"), "data_src/aligned/00003_0.jpg"),
    ("view-src", (), "data_src/aligned"),
    ("debug-images-src", (), "data_src/aligned/00001_0_debug.jpg"),
    ("sort-src", ("--by", "hist"), "data_src/aligned/00000.jpg"),
    ("recover-names-src", (), "data_src/aligned/00003_0.jpg"),
    ("enhance-src", ("--no-merge",), "data_src/aligned_enhanced/00001_0.jpg"),
    ("resize-src", ("--image-size", "192", "--face-type", "same", "--no-merge"), "data_src/aligned_resized/00001_0.jpg"),
    ("metadata-save-src", (), "data_src/aligned/meta.dat"),
    ("metadata-restore-src", (), "data_src/aligned/00001_0.jpg"),
    ("pack-src", ("--no-person-faceset", "--delete-originals"), "data_src/aligned/faceset.pak"),
    ("unpack-src", (), "data_src/aligned/00001_0.jpg"),
    ("extract-dst-manual", FACE, "by hand: 00001.png 00002.png"),
    ("extract-dst", AGAIN, "data_dst/aligned/00003_0.jpg"),
    ("extract-dst-manual-fix", AGAIN, "data_dst/aligned/00003_0.jpg"),
    ("re-extract-dst", FACE[2:], "by hand: 00001.png\n"),
    ("view-dst", (), "data_dst/aligned"),
    ("view-dst-debug", (), "data_dst/aligned_debug"),
    ("sort-dst", ("--by", "blur"), "data_dst/aligned/00000.jpg"),
    ("recover-names-dst", (), "data_dst/aligned/00003_0.jpg"),
    ("resize-dst", ("--image-size", "192", "--face-type", "same", "--no-merge"), "data_dst/aligned_resized/00001_0.jpg"),
    ("pack-dst", ("--no-person-faceset", "--delete-originals"), "data_dst/aligned/faceset.pak"),
    ("unpack-dst", (), "data_dst/aligned/00001_0.jpg"),
    ("xseg-generic-dst", (), "Files processed: 3"),
    ("xseg-generic-src", (), "Files processed: 3"),
    ("xseg-edit-dst", (), "edited data_dst/aligned"),
    ("xseg-edit-src", (), "edited data_src/aligned"),
    ("train-xseg", ("--set", "face_type=wf", *BATCH), "model/XSeg_256.npy"),
    ("xseg-apply-dst", ("--cpu-only",), "Files processed: 3"),
    ("xseg-apply-src", ("--cpu-only",), "Files processed: 3"),
    ("xseg-fetch-dst", (), "data_dst/aligned_xseg/00001_0.jpg"),
    ("xseg-fetch-src", (), "data_src/aligned_xseg/00001_0.jpg"),
    ("xseg-remove-dst", (), "Files processed: 3"),
    ("xseg-remove-src", (), "Files processed: 3"),
    ("xseg-remove-labels-dst", (), "Files processed: 1"),
    ("xseg-remove-labels-src", (), "Files processed: 1"),
    ("train-saehd", SAEHD, "model/one_SAEHD_encoder.npy"),
    ("train-saehd-no-preview", (*SAEHD[:2], "--target-iter", "2", "--cpu-only", "--silent-start"), "Reached target"),
    ("train-amp", AMP, "model/two_AMP_encoder.npy"),
    ("train-amp-src-src", (*AMP[:2], "--target-iter", "2", *BATCH[4:]), "Reached target"),
    ("train-quick96", QUICK, "model/three_Quick96_encoder.npy"),
    ("train-quick96-no-preview", (*QUICK[:2], "--target-iter", "2", "--cpu-only", "--silent-start"), "Reached target"),
    ("export-saehd", ("--force-model-name", "one", "--no-quantize"), "model/one_SAEHD_model.dfm"),
    ("export-amp", ("--force-model-name", "two", "--no-quantize"), "model/two_AMP_model.dfm"),
    ("merge-saehd", ("--force-model-name", "one", *MERGE), "data_dst/merged/00003.png"),
    ("merge-amp", ("--force-model-name", "two", "--morph-factor", "1", *MERGE), "data_dst/merged_mask/00003.png"),
    ("merge-quick96", ("--force-model-name", "three", *MERGE), "data_dst/merged/00003.png"),
    ("video-mp4", ("--bitrate", "4"), "result.mp4"),
    ("video-mp4-lossless", (), "result_mask.mp4"),
    ("video-mov-lossless", (), "result.mov"),
    ("video-avi", ("--bitrate", "4"), "result_mask.avi"),
    ("cpu-only", (), "use the processor only"),
    ("clear-workspace", ("--yes",), "is clear"),
)  # fmt: skip
MASKS_ANSWERED = ("xseg-fetch-dst", "xseg-fetch-src"), ("xseg-remove-dst", "xseg-remove-src", "xseg-remove-labels-dst",
                                                       "xseg-remove-labels-src")  # fmt: skip


@pytest.fixture
def workspace(tmp_path):
    """Two clips and the three folders, with things of the user among them."""
    folder = tmp_path / "a workspace"
    maker = ROOT / "scripts" / "make_demo_clips.py"
    subprocess.run([sys.executable, maker, folder, "--frames", str(FRAMES)], check=True, timeout=120)
    assert {path.name for path in folder.iterdir()} == VIDEOS
    return folder


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Windows that do nothing, small networks, and the program's own folder left alone."""
    import tensorflow as tf

    from models.architectures.deepfake import DeepfakeAutoencoder
    from models.architectures.xseg import XSegNetwork

    def mark(paths, *rest, **more):
        print("by hand:", *[path.name for path in paths])

    def edit(folder, *rest, **more):
        print("edited", "/".join(folder.parts[-2:]))
        label_one(folder)

    def small(resolution, archi, **dimensions):
        return DeepfakeAutoencoder(resolution, archi, 16, 8, 8, 4)

    monkeypatch.setattr("samplelib.extraction.manual_window.mark_faces", mark)
    monkeypatch.setattr("core.window.picture_window.window_problem", lambda: None)
    monkeypatch.setattr("facelib.finder_factory.any_weights", lambda: False)
    monkeypatch.setattr("mainscripts.facesettool._load_enhancer", lambda options: lambda image: image)
    monkeypatch.setattr("mainscripts.workspace.CPU_ONLY_MARK", tmp_path / ".cpu_only")
    monkeypatch.setattr("models.quick96.model.DeepfakeAutoencoder", small)
    monkeypatch.setattr("models.xseg.model.XSegNetwork", functools.partial(XSegNetwork, base_channels=4))
    monkeypatch.setattr("xseglib.editor.app.run_editor", edit, raising=False)
    monkeypatch.setenv("DFL_VIEWER", shutil.which("true"))
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def label_one(folder):
    """What a person does in the editor: one face gets a label."""
    from samplelib.faces.aligned_face import SegPolygon, read_metadata, write_metadata

    face = folder / "00001_0.jpg"
    square = np.array([(60, 60), (200, 60), (200, 200), (60, 200)], np.float32)
    write_metadata(face, read_metadata(face).replace(polygons=(SegPolygon(True, square),)))


def run(monkeypatch, capsys, words, answers=""):
    """One command of ``main.py`` in this process; returns what it printed."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    code = main.main([*map(str, words), "--keep-priority"])
    interact.configure(assume_yes=False)
    told = capsys.readouterr()
    assert code == 0, f"{words}\n{told.out[-3000:]}{told.err[-3000:]}"
    return told.out


def made_folders(workspace):
    """Folders below the workspace that are not the user's own."""
    found = {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_dir()}
    return {name for name in found if not any(f"{name}/".startswith(f"{own}/") for own in FOREIGN)}


def write_labelled_face(path):
    """A face picture with a label, as every step of facesets would take it."""
    from facelib.alignment import face_matrix
    from facelib.face_type import FaceType
    from facelib.landmarks import MEAN_FACE_68
    from samplelib.faces.aligned_face import FaceMetadata, SegPolygon, save_face

    landmarks = MEAN_FACE_68 * 80 + 24
    matrix = face_matrix(landmarks, 128, FaceType.WHOLE_FACE)
    label = SegPolygon(True, np.array([(20, 20), (100, 20), (60, 100)], np.float32))
    metadata = FaceMetadata(
        "whole_face", landmarks, "00001.png", np.array([0, 0, 9, 9]), landmarks, matrix, polygons=(label,)
    )
    save_face(path, np.full((128, 128, 3), 90, np.uint8), metadata)


def put_foreign(workspace):
    """Things of the user; returns their content by path."""
    for name in FOREIGN:
        (workspace / name).mkdir(parents=True)
        write_labelled_face(workspace / name / "00001_0.jpg")
        (workspace / name / "notes.txt").write_text(name)
    for name in FILES:
        (workspace / name).write_text(f"mine: {name}")
    return foreign(workspace)


def foreign(workspace):
    """What is in the folders of other names and in the loose files: {path: (content, time of the last change)}."""
    files = [path for name in FOREIGN for path in (workspace / name).rglob("*")] + [workspace / name for name in FILES]
    return {
        str(path.relative_to(workspace)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
        if path.is_file()
    }


def test_the_plan_has_every_step_once():
    assert sorted(key for key, *_ in PLAN) == sorted(STEPS)


def test_steps_know_no_other_places_of_the_workspace():
    places = folders("/w")
    named = {
        word.split("/w/", 1)[1].split("/")[0]
        for step in STEPS.values()
        for number in range(len(step.commands))
        for word in step.arguments({**places, "FILE": "x"}, number)
        if word.startswith("/w/")
    }
    results = {f"result{mask}.{ending}" for mask in ("", "_mask") for ending in ("mp4", "mov", "avi")}
    assert named == {"data_src", "data_dst", "model", "data_src.*", "data_dst.*"} | results


def test_every_step_leaves_folders_of_other_names_alone(workspace, stand_ins, monkeypatch, capsys):
    videos = {name: (workspace / name).read_bytes() for name in VIDEOS}
    before = put_foreign(workspace)
    places = folders(workspace)
    for key, flags, result in PLAN:
        if key == "re-extract-dst":
            (workspace / "data_dst/aligned_debug/00001.jpg").unlink()
        answers = "n\n" if key in MASKS_ANSWERED[0] else "y\n" if key in MASKS_ANSWERED[1] else ""
        for number in range(len(STEPS[key].commands)):
            words = STEPS[key].arguments({**places, "FILE": str(workspace / "data_src.mp4")}, number)
            told = run(monkeypatch, capsys, [*words, *(flags if number == 0 else ())], answers)
        assert result in told or (workspace / result).is_file(), f"{key}: {told}"
        if key != "clear-workspace":
            assert foreign(workspace) == before, key
        if key == "video-avi":
            assert sorted(made_folders(workspace)) == sorted(MADE_FOLDERS)
    kept = {name for name in before if name.split("/")[0] not in ("data_src", "data_dst", "model")}
    after = foreign(workspace)
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
    assert {name: (workspace / name).read_bytes() for name in VIDEOS} == videos
    left = {path.name for path in workspace.iterdir()}
    made = {f"result{mask}.{ending}" for mask in ("", "_mask") for ending in ("mp4", "mov", "avi", "c2pa")}
    made |= {"data_src_cut.mp4"}
    assert left == VIDEOS | made | {"data_src", "data_dst", "model", "cleared_1"} | {
        name.split("/")[0] for name in kept
    }
