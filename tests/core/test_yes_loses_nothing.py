"""``--yes`` never throws away what may exist nowhere else: it is set aside, or the step stops."""

import io
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import main
from core.console import interact
from core.console.loss import Fate, ask_fate, confirm_loss
from core.files.trash import keep_bytes, keep_copy, set_aside
from facelib.face_type import FaceType
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon, read_metadata, save_face
from samplelib.faces.originals_exchange import finish_merge, offer_merge, prepare_output_folder
from samplelib.faces.resize_faceset import resize_faceset

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))

from fault_injection import Killed, killed_after

ROOT = Path(__file__).resolve().parents[2]

# Questions to which --yes says yes, and why nothing is lost by that.
HARMLESS = {
    "samplelib/faces/originals_exchange.py": "ask_before_loss: what is deleted is in the pack or in the copies, compared with them",
    "models/base.py": "a missing weight file",
    "mainscripts/videoed.py": "frames of a damaged video are taken; old ones are set aside",
    "mainscripts/sort.py": "sorting frames, which --undo brings back",
    "mainscripts/xseg.py": "what is removed is kept in a meta.dat",
}


@pytest.fixture
def console(monkeypatch, tmp_path):
    """Sets what there is to answer questions: ``--yes``, a pipe, an answers file."""

    def configure(yes=False, piped="", answers=None):
        monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
        path = None
        if answers is not None:
            path = tmp_path / "answers.yaml"
            path.write_text(answers)
        interact.configure(yes, path)

    yield configure
    interact.configure()


LABEL = "Delete 3 labels in aligned?"


@pytest.mark.parametrize(
    ("yes", "piped", "answers", "agreed", "fate"),
    [
        (False, "", None, False, Fate.KEEP),
        (False, "y\n", None, True, Fate.DELETE),
        (False, "n\n", None, False, Fate.KEEP),
        (True, "", None, False, Fate.SET_ASIDE),
        (True, "y\n", None, False, Fate.SET_ASIDE),
        (False, "", "[y, y, y]", False, Fate.KEEP),
        (False, "", "'*': y", False, Fate.KEEP),
        (True, "", "'*': y", False, Fate.SET_ASIDE),
        (True, "", "[y]", False, Fate.SET_ASIDE),
        (False, "", "Delete * labels in aligned: y", True, Fate.DELETE),
        (True, "", "Delete * labels in aligned: y", True, Fate.DELETE),
        (True, "", "'delete 3 labels in aligned?': no", False, Fate.KEEP),
        (False, "y\n", "Another question: n", True, Fate.DELETE),
    ],
)
def test_who_may_agree_to_a_loss(console, yes, piped, answers, agreed, fate):
    console(yes, piped, answers)
    assert confirm_loss(LABEL, "--delete") is agreed
    console(yes, piped, answers)
    assert ask_fate(LABEL, "--delete") is fate


def test_a_flag_is_named_when_nobody_agrees(console, capsys):
    console()
    confirm_loss(LABEL, "--delete")
    assert "Give --delete to allow it" in capsys.readouterr().out
    console(yes=True)
    confirm_loss(LABEL, "--delete")
    assert "--yes throws away nothing" in capsys.readouterr().out


def test_an_unexpected_question_about_a_loss_takes_no_answer_of_a_list(console):
    console(answers="[png, y]")
    assert ask_fate(LABEL) is Fate.KEEP
    assert interact.ask_text("Output image format", "jpg", ["png", "jpg"]) == "png"
    assert interact.ask_bool("Continue?", False)


def test_every_question_that_yes_answers_is_one_that_loses_nothing():
    """A new question has to be judged: ``confirm`` if nothing can be lost, else those of ``core.console.loss``."""
    found = set()
    for room in ("core", "facelib", "samplelib", "models", "merger", "xseglib", "mainscripts"):
        for path in (ROOT / room).rglob("*.py"):
            if re.search(r"\binteract\.confirm\(", path.read_text(encoding="utf-8")):
                found.add(path.relative_to(ROOT).as_posix())
    assert found <= set(HARMLESS), "judge the new question, and write it into docs/reliability.md"


# --- the trash folder


def test_trash_keeps_all_and_each_content_once(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for text in ("one", "two", "one"):
        (folder / "a.jpg").write_text(text)
        keep_copy(folder / "a.jpg")
    trash = tmp_path / "aligned_trash"
    assert {path.name: path.read_text() for path in trash.iterdir()} == {"a.jpg": "one", "a_1.jpg": "two"}
    assert set_aside([folder / "a.jpg"]) == trash and (trash / "a_2.jpg").read_text() == "one"
    assert set_aside([]) is None
    (trash / "b").mkdir()
    assert keep_bytes(b"x", trash / "b") == trash / "b_1"


# --- commands


def face(path, size=64, polygons=(), seed=0):
    random = np.random.default_rng(seed)
    landmarks = random.uniform(5, size - 5, (68, 2))
    metadata = FaceMetadata("whole_face", landmarks, f"{path.stem.rpartition('_')[0]}.png", polygons=polygons)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_face(path, random.integers(0, 256, (size, size, 3), np.uint8), metadata)
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def run(*arguments):
    try:
        return main.main([str(argument) for argument in arguments])
    finally:
        interact.configure()


LABEL_BY_HAND = SegPolygon(True, np.array([[10, 10], [50, 10], [30, 50]]))


def test_extracting_again_sets_the_faces_aside(tmp_path, console, capsys):
    frames, aligned, debug = (tmp_path / name for name in ("data_dst", "aligned", "aligned_debug"))
    for folder in (frames, debug):
        folder.mkdir()
    cv2.imwrite(str(frames / "00001.png"), np.zeros((64, 64, 3), np.uint8))
    cv2.imwrite(str(debug / "00001.jpg"), np.zeros((64, 64, 3), np.uint8))
    face(aligned / "00001_0.jpg", polygons=(LABEL_BY_HAND,))
    face(aligned / "00002_0.jpg", seed=1)
    before, drawn = contents(aligned), contents(debug)
    command = ["extract", "--input-dir", frames, "--output-dir", aligned, "--detector", "embedded", "--restart",
               "--face-type", "wf", "--max-faces-from-image", 0, "--image-size", 256, "--jpeg-quality", 90,
               "--no-output-debug", "--cpu-only"]  # fmt: skip
    console()
    assert run(*command) == 1 and contents(aligned) == before
    assert "1 of the faces carry labels" in capsys.readouterr().out
    run(*command, "--yes")
    assert contents(tmp_path / "aligned_trash") == before and contents(tmp_path / "aligned_debug_trash") == drawn
    assert not list(aligned.glob("*.jpg"))


def test_a_labelled_face_that_is_extracted_again_is_kept(tmp_path):
    from facelib.face_finder import FoundFace
    from facelib.landmarks import MEAN_FACE_68
    from samplelib.extraction.pipeline import ExtractSettings, SourceFrame, write_frame

    path = face(tmp_path / "aligned" / "00001_0.jpg", polygons=(LABEL_BY_HAND,))
    labelled = path.read_bytes()
    settings = ExtractSettings(path.parent, None, FaceType.WHOLE_FACE, 64, 90)
    picture = np.zeros((128, 128, 3), np.uint8)
    found = FoundFace(rect=(20, 20, 100, 100), landmarks=MEAN_FACE_68 * 60 + 30)
    write_frame(SourceFrame("00001.png", None), picture, [found], settings)
    assert read_metadata(path).polygons == ()
    assert contents(tmp_path / "aligned_trash") == {"00001_0.jpg": labelled}


@pytest.mark.parametrize(
    ("flags", "merged", "kept"),
    [(["--yes"], True, True), (["--merge"], True, False), (["--yes", "--merge"], True, False), ([], False, False),
     (["--yes", "--no-merge"], False, False)],
)  # fmt: skip
def test_resizing_keeps_the_originals_unless_merging_was_asked_for(tmp_path, console, flags, merged, kept):
    aligned = tmp_path / "aligned"
    for number in range(3):
        face(aligned / f"0000{number}_0.jpg", 160, seed=number)
    before = contents(aligned)
    console()
    assert run("facesettool", "resize", "--input-dir", aligned, "--image-size", 128, "--face-type", "same", *flags) == 0
    assert (contents(aligned) != before) == merged
    assert contents(tmp_path / "aligned_trash") == (before if kept else {})


def test_pictures_of_an_earlier_run_are_set_aside(tmp_path, console):
    (tmp_path / "aligned_resized").mkdir()
    (tmp_path / "aligned_resized" / "a.jpg").write_bytes(b"mine")
    console(yes=True)
    assert contents(prepare_output_folder(tmp_path / "aligned_resized")) == {}
    assert contents(tmp_path / "aligned_resized_trash") == {"a.jpg": b"mine"}


def test_a_merge_that_is_killed_is_finished_and_not_done_twice(tmp_path, console):
    """A second run of the enhancer would enhance those again that are merged already."""
    console(yes=True)
    for limit in range(200):
        aligned = tmp_path / f"{limit}" / "aligned"
        for number in range(3):
            face(aligned / f"0000{number}_0.jpg", 48, seed=number)
        before = contents(aligned)
        output = prepare_output_folder(aligned.with_name("aligned_enhanced"))
        written, _ = resize_faceset(aligned, output, 32)
        expected = {path.name: path.read_bytes() for path in written}
        with killed_after(limit) as disk:
            try:
                offer_merge(output, aligned, written, None)
            except Killed:
                pass
        if contents(aligned) != before and (output / ".merging.json").exists():
            assert finish_merge(output, aligned)
        assert contents(aligned) in (expected, before), "all or nothing"
        trash = contents(aligned.with_name("aligned_trash"))
        assert contents(aligned) == before or {key: trash[key] for key in before} == before
        if not disk.dead:
            break
    assert limit > 10 and contents(aligned) == expected


def test_settings_that_were_edited_are_kept(tmp_path, console):
    from merger.settings.config import MergeConfig
    from merger.settings.settings_file import write_settings

    console(yes=True)
    path = tmp_path / "settings.yaml"
    path.write_text("mode: overlay  # mine\n")
    written = write_settings(path, [MergeConfig()])
    assert (tmp_path / "settings_old.yaml").read_text() == "mode: overlay  # mine\n"
    write_settings(path, [MergeConfig()])
    write_settings(path, [MergeConfig(mode="seamless")], own=written)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["settings.yaml", "settings_old.yaml"]


def test_a_page_of_others_is_not_replaced_by_a_report(tmp_path, console):
    console(yes=True)
    face(tmp_path / "aligned" / "00001_0.jpg", 64)
    page = tmp_path / "notes.html"
    page.write_text("my notes")
    for _ in range(2):
        assert run("facesettool", "report", "--src-dir", tmp_path / "aligned", "--output", page, "--yes") == 0
    assert (tmp_path / "notes_old.html").read_text() == "my notes" and not (tmp_path / "notes_old_1.html").exists()


def test_no_model_is_deleted_by_yes(tmp_path, console):
    from models.saved import saved_models

    (tmp_path / "a_SAEHD_data.dat").write_bytes(b"weeks of work")
    console(yes=True, answers="Enter the name of the model you want to delete: a\n'*': y\n")
    saved_models._ask_delete(tmp_path, "SAEHD", ["a"])
    assert (tmp_path / "a_SAEHD_data.dat").exists()
    console(yes=True, answers="Enter the name of the model you want to delete: a\nDelete model a with *: y\n")
    saved_models._ask_delete(tmp_path, "SAEHD", ["a"])
    assert not (tmp_path / "a_SAEHD_data.dat").exists()


def test_a_declined_session_is_kept(tmp_path, console):
    """It holds the settings that somebody gave to every frame."""
    from types import SimpleNamespace

    from merger.frames import Frame
    from merger.interactive.session import session_path
    from merger.run.request import MergeRequest
    from merger.run.steps import _states
    from merger.settings.config import MergeConfig

    console(yes=True)
    path = session_path(tmp_path, "a", "SAEHD")
    request = MergeRequest(tmp_path, "SAEHD", tmp_path, use_session=False)
    settings = SimpleNamespace(base=MergeConfig(), tracks=())
    frames = [Frame(0, tmp_path / "00001.png", ())]
    for _ in range(2):
        path.write_text("the settings of every frame")
        _states(request, frames, settings, SimpleNamespace(name="a", iteration=1), None, path)
    kept = sorted(file.name for file in tmp_path.iterdir())
    assert kept == ["a_SAEHD_merger_session_old.json", "a_SAEHD_merger_session_old_1.json"]
    assert (tmp_path / kept[0]).read_text() == "the settings of every frame"
