"""Questions, keys and console lines that the guide promises and no other test sees; without networks."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import main
from core import device_choice
from core.console import interact
from core.engines import DEFAULT_PLACE, Place
from core.version import VERSION
from core.window.keys import Key
from mainscripts import exportdfm, facesettool, videoed, workspace
from mainscripts.jobs.step_table import folders, load_steps
from merger.run import steps
from merger.run.request import MergeRequest
from merger.settings.config import MASK_MODES, MODES, SHARPEN_MODES, MergeConfig
from merger.settings.questions import ask_settings
from models.base import SavedModel
from models.option_values import ask_options
from models.options import Context
from models.preview import pages as preview
from models.preview import sample_chooser
from models.registry import kind, option_table
from models.saved.model_files import ModelData
from models.training import trainer
from models.training.request import TrainRequest
from models.training.training_session import TrainingSession
from samplelib.extraction import run as extraction
from samplelib.extraction.request import ExtractRequest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def asked(monkeypatch):
    """Prompts and help texts in order; ``asked.answers`` maps the beginning of a label to a typed answer."""
    record = SimpleNamespace(prompts=[], helps={}, answers={})

    def ask(prompt, default, parse, expected, help_text, echo=True):
        record.prompts.append(prompt)
        record.helps[prompt] = help_text
        for label, text in record.answers.items():
            if label in prompt:
                return parse(text)
        return default

    monkeypatch.setattr(interact, "_ask", ask)
    return record


# --- launchers and the program as a whole


def test_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert ended.value.code == 0 and VERSION in capsys.readouterr().out


def test_batch_windows_wait_for_a_key_at_the_end():
    at_the_end = {"pause": "\nif not defined DFL_NO_PAUSE pause\nexit /b %DFL_EXIT%\n",
                  "pause-on-error": "\nif not %DFL_EXIT%==0 if not defined DFL_NO_PAUSE pause\nexit /b %DFL_EXIT%\n"}  # fmt: skip
    for step in load_steps().values():
        text = (ROOT / "scripts" / f"{step.windows}.bat").read_bytes().decode().replace("\r\n", "\n")
        assert text.endswith(at_the_end[step.end]), step.windows


def test_make_cpu_only_is_a_switch_that_the_launchers_obey(tmp_path, monkeypatch, capsys):
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "env.sh", tmp_path / "scripts")
    program = tmp_path / "venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "cards: ${CUDA_VISIBLE_DEVICES-all}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(workspace, "CPU_ONLY_MARK", tmp_path / ".cpu_only")

    def cards():
        environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        environment |= {"DFL_VENV": str(tmp_path / "venv"), "DFL_SKIP_SETUP": "1"}
        command = ["bash", "-c", f'. "{tmp_path}/scripts/env.sh"; dfl train']
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert cards() == "cards: all"
    assert main.main(["workspace", "cpu-only"]) == 0
    assert cards() == "cards: -1" and "--off" in capsys.readouterr().out
    assert main.main(["workspace", "cpu-only", "--off"]) == 0
    assert cards() == "cards: all"


def test_folders_of_other_names_are_left_alone(tmp_path):
    from core.files.paths import list_images

    for name in ("data_src/aligned/1.jpg", "data_src/aligned/old/2.jpg", "data_src/aligned-copy/3.jpg", "mine/4.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in list_images(tmp_path / "data_src" / "aligned")] == ["1.jpg"]
    assert list_images(tmp_path / "data_src") == []
    (tmp_path / "data_src.mp4").write_bytes(b"x")
    assert main.main(["workspace", "clear", "--workspace", str(tmp_path), "--delete"]) == 0
    assert (tmp_path / "mine" / "4.jpg").exists() and (tmp_path / "data_src.mp4").exists()
    assert (tmp_path / "data_src" / "aligned-copy" / "3.jpg").exists()
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_dir()}
    assert found == {
        "mine", "data_src", "data_src/aligned", "data_src/aligned_debug", "data_src/aligned-copy", "data_dst",
        "data_dst/aligned", "data_dst/aligned_debug", "model",
    }  # fmt: skip


# --- which device


CARDS = [SimpleNamespace(index=0, name="Small", memory_gib=4.0), SimpleNamespace(index=1, name="Large", memory_gib=8.0)]


@pytest.mark.parametrize(
    ("several", "question", "answer", "chosen"),
    [
        (True, "[0,1] Which GPU indexes to choose? : ", None, [0, 1]),
        (True, "[0,1] Which GPU indexes to choose? : ", "1", [1]),
        (True, "[0,1] Which GPU indexes to choose? : ", "CPU", []),
        (False, "[0,1] Which GPU index to choose? : ", "0", [0]),
    ],
)
def test_device_question(asked, capsys, several, question, answer, chosen):
    if answer:
        asked.answers["Which GPU"] = answer
    assert device_choice._ask(CARDS, [0, 1], several) == chosen
    assert asked.prompts == [question]
    shown = capsys.readouterr().out
    assert "[CPU] : CPU\n  [0] : Small\n  [1] : Large\n" in shown


@pytest.mark.parametrize(("detector", "several"), [("s3fd", True), ("manual", False)])
def test_extraction_asks_for_devices_and_by_hand_for_one(monkeypatch, detector, several):
    calls = []
    monkeypatch.setattr("facelib.finder_factory.any_weights", lambda: True)
    monkeypatch.setattr(device_choice, "choose_devices", lambda *a, **k: calls.append((a, k)) or [1, 2])
    places = extraction._choose_places(ExtractRequest(Path("faces"), detector=detector, engine="tensorflow"))
    assert calls == [((False, None), {"several": several})]
    assert places == (Place(device="GPU:0"), Place(device="GPU:1"))


def test_training_asks_for_devices(monkeypatch):
    calls = []
    log = SimpleNamespace(setLevel=lambda level: None)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(get_logger=lambda: log))
    monkeypatch.setitem(sys.modules, "core.nn", SimpleNamespace())
    monkeypatch.setattr(device_choice, "choose_devices", lambda *arguments: calls.append(arguments) or [])
    assert session()._devices() == [] and calls == [(False, None, False)]


# --- extraction, video, faceset tools


def test_heads_get_landmarks_of_the_network_in_3d():
    from facelib.face_type import FaceType
    from facelib.finder_factory import aligner_name

    assert aligner_name(FaceType.HEAD) == "3DFAN" and aligner_name(FaceType.WHOLE_FACE) == "2DFAN"


def test_denoise_factor(asked, monkeypatch, tmp_path):
    (tmp_path / "1.png").write_bytes(b"x")
    taken = []
    monkeypatch.setattr("core.video.steps.denoise_images", lambda folder, factor, record: taken.append(factor) or 1)
    videoed.denoise(parsed("videoed", "denoise-image-sequence", "--input-dir", tmp_path))
    asked.answers["Denoise"] = "55"
    videoed.denoise(parsed("videoed", "denoise-image-sequence", "--input-dir", tmp_path))
    assert taken == [7, 20] and asked.prompts == ["[7] Denoise factor? ( 1-20 ) : "] * 2


def _face(path, face_type="head", polygons=()):
    from facelib.alignment import face_matrix
    from facelib.face_type import FaceType
    from facelib.landmarks import MEAN_FACE_68
    from samplelib.faces.aligned_face import FaceMetadata, save_face

    landmarks = MEAN_FACE_68 * 40 + 12
    matrix = face_matrix(landmarks, 64, FaceType.from_text(face_type))
    metadata = FaceMetadata(face_type, landmarks, "1.png", np.array([0, 0, 64, 64]), landmarks, matrix, polygons)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_face(path, np.full((64, 64, 3), 90, np.uint8), metadata)


def test_re_extraction_keeps_face_type_and_other_faces_of_the_frame(asked, monkeypatch, tmp_path, capsys):
    """The frame whose debug picture was deleted is shown; face 0 is written anew, face 1 stays, nothing else is asked."""
    import cv2

    from facelib.landmarks import MEAN_FACE_68
    from samplelib.extraction.pipeline import FoundFace
    from samplelib.faces.aligned_face import read_metadata

    aligned, debug = tmp_path / "aligned", tmp_path / "aligned_debug"
    debug.mkdir()
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((200, 200, 3), 50 * number, np.uint8))
        for index in (0, 1):
            _face(aligned / f"{number}_{index}.jpg")
    cv2.imwrite(str(debug / "2.jpg"), np.zeros((9, 9, 3), np.uint8))
    before = {path.name: path.read_bytes() for path in aligned.iterdir()}

    def mark(paths, finder, settings, window_size, save):
        assert [path.name for path in paths] == ["1.png"]
        image = cv2.imread(str(paths[0]))
        save(paths[0], image, FoundFace((60, 60, 140, 140), MEAN_FACE_68 * 80 + 60), None)

    monkeypatch.setattr("samplelib.extraction.manual_window.mark_faces", mark)
    monkeypatch.setattr("facelib.finder_factory.make_finders", lambda *arguments: ([None], 1))
    monkeypatch.setattr("facelib.finder_factory.any_weights", lambda: False)
    arguments = ["extract", "--input-dir", tmp_path, "--output-dir", aligned, "--detector", "manual"]
    arguments += ["--max-faces-from-image", "0", "--output-debug", "--manual-output-debug-fix"]
    assert main.main([str(word) for word in arguments]) == 0
    assert asked.prompts == ["[768] Image size ( 256-2048 ?:help ) : ", "[90] Jpeg quality ( 1-100 ?:help ) : "]
    shown = capsys.readouterr().out
    assert "Images found:        1\nFaces detected:      1" in shown
    after = {path.name: path.read_bytes() for path in aligned.glob("*.jpg")}
    assert {name for name in before if before[name] != after[name]} == {"1_0.jpg"}
    assert read_metadata(aligned / "1_0.jpg").face_type == "head" and (debug / "1.jpg").exists()


def test_manual_fix_shows_the_frames_without_a_face(asked, monkeypatch, tmp_path):
    """The launcher for the destination: three questions, the automatic pass, then the window for what it missed."""
    from samplelib.extraction.pipeline import FrameResult

    for name in ("1.png", "2.png", "3.png"):
        (tmp_path / "data_dst").mkdir(exist_ok=True)
        (tmp_path / "data_dst" / name).write_bytes(b"x")
    found = [FrameResult("1.png", ("1_0.jpg",)), FrameResult("2.png", ()), FrameResult("3.png", ("3_0.jpg",))]
    shown = []
    monkeypatch.setattr("samplelib.extraction.pipeline.extract_frames", lambda *arguments, **rest: iter(found))
    monkeypatch.setattr(
        "samplelib.extraction.manual_window.mark_faces", lambda paths, *rest: shown.append([p.name for p in paths])
    )
    monkeypatch.setattr("core.window.picture_window.window_problem", lambda: None)
    monkeypatch.setattr(
        "facelib.finder_factory.make_finders", lambda *arguments: ([SimpleNamespace(can_follow=False)], 1)
    )
    monkeypatch.setattr("facelib.finder_factory.any_weights", lambda: False)
    assert main.main(load_steps()["extract-dst-manual-fix"].arguments(folders(tmp_path))) == 0
    assert shown == [["2.png"]]
    assert [prompt.split("] ")[1].split(" (")[0] for prompt in asked.prompts] == [
        "Face type",
        "Image size",
        "Jpeg quality",
    ]
    assert (tmp_path / "data_dst" / "aligned_debug").is_dir()


def test_enhanced_faces_may_replace_the_originals(asked, monkeypatch, tmp_path):
    from core.files.imageio import read_bgr

    faces = tmp_path / "data_src" / "aligned"
    _face(faces / "1_0.jpg")
    monkeypatch.setattr(facesettool, "_load_enhancer", lambda options: lambda image: image * 0 + 1)
    monkeypatch.setattr(interact, "has_terminal", lambda: True)
    asked.answers["Merge"] = "n"
    arguments = ["facesettool", "enhance", "--input-dir", str(faces)]
    assert main.main(arguments) == 0
    assert asked.prompts == ["[y] Merge data_src/aligned_enhanced to data_src/aligned ? ( y/n ) : "]
    assert read_bgr(faces / "1_0.jpg").mean() < 100
    assert read_bgr(faces.with_name("aligned_enhanced") / "1_0.jpg").mean() > 250
    asked.answers = {"Merge": "y", "Delete": "y"}
    assert main.main(arguments) == 0
    assert read_bgr(faces / "1_0.jpg").mean() > 250 and not faces.with_name("aligned_enhanced").exists()


def test_saving_metadata_says_what_to_keep(tmp_path, capsys):
    _face(tmp_path / "1_0.jpg")
    assert main.main(["util", "--input-dir", str(tmp_path), "--save-faceset-metadata"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Metadata saved to"))
    told = " ".join(lines[start : start + 4])
    assert str(tmp_path / "meta.dat") in told and (tmp_path / "meta.dat").is_file()
    for text in ("can be edited", "Keep their file names", "size may change", "--restore-faceset-metadata"):
        assert text in told


# --- training


def parsed(*words):
    """Flags as the command line has them."""
    return main.build_parser().parse_args([str(word) for word in words])


def session(**flags):
    return TrainingSession(TrainRequest("SAEHD", ROOT, ROOT, ROOT, pretraining_data_dir=ROOT, **flags))


def trained(class_name, tmp_path, **options):
    """A model of which ``data.dat`` says that it was trained."""
    saved = SavedModel(tmp_path, class_name, None if class_name == "XSeg" else "t")
    first = ask_options(class_name, {}, {}, options, Context(), True, False, True)
    saved.data, saved.is_first_run = ModelData(7, first), False
    return saved


@pytest.fixture
def enter_within_two_seconds(monkeypatch):
    texts = []
    monkeypatch.setattr(interact, "ask_timed", lambda text, seconds: texts.append((text, seconds)) or True)
    return texts


LATER_SWITCHES = (
    "Autobackup every N hour", "Write preview history", "Target iteration", "Flip SRC faces randomly",
    "Flip DST faces randomly", "Batch_size", "Masked training", "Eyes and mouth priority",
    "Uniform yaw distribution of samples", "Blur out mask", "Place models and optimizer on GPU",
    "Use AdaBelief optimizer?", "Use learning rate dropout", "Enable random warp of samples",
    "Random hue/saturation/light intensity", "GAN power", "GAN patch size", "GAN dimensions", "'True face' power.",
    "Face style power", "Background style power", "Color transfer for src faceset", "Enable gradient clipping",
    "Enable pretraining mode",
)  # fmt: skip


def test_every_switch_of_the_workflow_is_asked_on_a_later_run(asked, tmp_path, enter_within_two_seconds):
    saved = trained("SAEHD", tmp_path, archi="df-ud", face_type="wf", gan_power=0.1, pretrain=True)
    asked.answers = {"Use learning rate": "y", "GAN power": "0.2", "Enable pretraining": "n", "Batch_size": "3"}
    fresh = session()._settle_options(saved, {}, [])
    assert enter_within_two_seconds == [("Press enter in 2 seconds to override model settings.", 2)]
    labels = [prompt.split("] ", 1)[1].split(" (")[0].removesuffix(" : ") for prompt in asked.prompts]
    assert sorted(labels) == sorted(LATER_SWITCHES)
    options = saved.data.options
    assert (options["lr_dropout"], options["gan_power"], options["pretrain"], options["batch_size"]) == (
        "y",
        0.2,
        False,
        3,
    )
    assert fresh == ("inter",) and saved.iteration == 0, "the end of pretraining"


def test_nothing_is_asked_when_enter_is_not_pressed(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(interact, "ask_timed", lambda text, seconds: False)
    saved = trained("SAEHD", tmp_path)
    before = dict(saved.data.options)
    before.pop("choose_preview_history")
    session()._settle_options(saved, {}, [])
    assert asked.prompts == [] and saved.data.options == before


@pytest.mark.parametrize(("restart", "face_type"), [("n", "f"), ("y", "head")])
def test_later_questions_of_xseg(asked, tmp_path, enter_within_two_seconds, restart, face_type):
    saved = trained("XSeg", tmp_path, face_type="f", batch_size=8)
    asked.answers = {"Restart training": restart, "Face type": "head"}
    session()._settle_options(saved, {}, [])
    offered = 8 if restart == "n" else 4
    expected = ["[n] Restart training? ( y/n ?:help ) : "]
    expected += ["[wf] Face type ( h/mf/f/wf/head ?:help ) : "] if restart == "y" else []
    expected += [f"[{offered}] Batch_size ( 2-16 ?:help ) : ", "[n] Enable pretraining mode ( y/n ) : "]
    assert asked.prompts == expected
    assert saved.data.options["face_type"] == face_type and saved.iteration == (0 if restart == "y" else 7)


def test_forced_values_are_shown_while_pretraining(tmp_path):
    given = {
        "pretrain": True, "archi": "df", "lr_dropout": "y", "random_warp": True, "gan_power": 0.3, "uniform_yaw": False,
        "random_hsv_power": 0.1, "face_style_power": 5.0, "bg_style_power": 6.0,
    }  # fmt: skip
    saved = trained("SAEHD", tmp_path, **given)
    text = saved.summary()
    shown = dict(re.findall(r"(\w+): (\S+)", text))
    for key, value in {
        "lr_dropout": "n", "random_warp": "False", "gan_power": "0.0", "random_hsv_power": "0.0",
        "face_style_power": "0.0", "bg_style_power": "0.0", "uniform_yaw": "True",
    }.items():  # fmt: skip
        assert shown[key] == value, key
    assert saved.effective["random_src_flip"] and saved.effective["random_dst_flip"]
    assert saved.data.options["gan_power"] == 0.3


@pytest.mark.parametrize("class_name", ["AMP", "SAEHD"])
def test_backup_hours_are_clamped(class_name):
    hours = option_table(class_name)["autobackup_hour"]
    assert [hours.adjusted(value, {}) for value in (-5, 3, 99)] == [0, 3, 24]


def test_masks_are_trained_on_labels_of_both_sides(tmp_path, capsys):
    from models.training.training_data import DataSettings
    from models.xseg.data import XSegData
    from samplelib.faces.aligned_face import SegPolygon

    label = SegPolygon(True, np.array([(10, 10), (50, 10), (50, 50), (10, 50)], np.float32))
    for side, labelled in (("src", 2), ("dst", 1)):
        for number in range(3):
            _face(tmp_path / side / f"{number}.jpg", "whole_face", (label,) if number < labelled else ())
    options = {"face_type": "wf", "batch_size": 4, "pretrain": False}
    data = XSegData(options, DataSettings(tmp_path / "src", tmp_path / "dst", None, 1, 1, 10**7, 0))
    try:
        batch, shown = data.next(), data.preview_faces(2)
    finally:
        data.close()
    assert "Using 3 segmented samples." in capsys.readouterr().out
    assert batch["image"].shape == (4, 256, 256, 3) and set(np.unique(batch["mask"])) == {0, 255}
    assert shown["src"].shape == shown["dst"].shape == (2, 256, 256, 3)


def test_picture_of_the_preview_window():
    pages = [(f"SAEHD {number}", np.full((64, 320, 3), number / 4, np.float32)) for number in range(3)]
    history = [[0.9, 0.8]] * 6000
    assert preview.HEAD_KEYS[0] == "[s]:save [b]:backup [enter]:exit"
    assert "[p]:update [space]:next preview" in preview.HEAD_KEYS[1]
    picture = preview.window_picture(pages, 2, history, 6000)
    head = 3 * preview.HEAD_LINE_HEIGHT
    assert picture.dtype == np.uint8 and picture.shape == (head + preview.GRAPH_HEIGHT + 64, 320, 3)
    assert (picture[:head] > 120).any(), "keys and the name of the page"
    graph = picture[head : head + preview.GRAPH_HEIGHT]
    assert len(np.unique(graph.reshape(-1, 3), axis=0)) > 2
    assert (picture[head + preview.GRAPH_HEIGHT :] == 127).all()


def test_mask_page_of_the_preview():
    """The masks of both facesets beside those that the model makes of each side and of the swap."""
    outputs = {name: np.zeros((2, 64, 64, 3), np.float32) for name in ("P_ss", "P_dd", "P_sd")}
    outputs |= {
        name: np.full((2, 64, 64, 1), value, np.float32)
        for name, value in (("Q_ss", 0.1), ("Q_dd", 0.2), ("Q_sd", 0.3))
    }
    network = SimpleNamespace(resolution=64, preview_tensors=lambda batch: outputs)
    batch = {name: np.zeros((2, 64, 64, 3), np.uint8) for name in ("target_src", "target_dst")}
    batch |= {
        "target_srcm": np.full((2, 64, 64, 1), 255, np.uint8),
        "target_dstm": np.full((2, 64, 64, 1), 102, np.uint8),
    }
    page = dict(preview.swap_pages("SAEHD", network, batch))["SAEHD masks"]
    np.testing.assert_allclose(page[-32, 32::64, 0], [1, 0.1, 0.4, 0.2, 0.3], atol=0.01)


@pytest.mark.parametrize("system", ["nt", "posix"])
def test_hint_at_gpu_scheduling_on_windows(monkeypatch, capsys, system):
    monkeypatch.setattr(trainer, "os", SimpleNamespace(name=system))
    saved = SimpleNamespace(iteration=0, kind=kind("XSeg"), effective={"pretrain": False})
    running = SimpleNamespace(saved=saved, previewer=SimpleNamespace(has_window=True))
    trainer.Trainer._announce(running, 0)
    shown = capsys.readouterr().out
    assert "Trying to do the first iteration" in shown
    assert ("hardware-accelerated GPU scheduling" in shown) == (system == "nt")


class ScriptedWindow:
    """A window in which somebody presses one key at each picture."""

    mouse, typed, closed = [], "", False

    def __init__(self, pressed):
        self.pressed, self.keys, self.shown = iter(pressed), [], []

    def show(self, picture, title=None):
        self.shown.append(picture)

    def wait(self, seconds):
        self.keys.append(Key(next(self.pressed)))

    def close(self):
        pass


def test_choosing_the_picture_of_the_history(monkeypatch):
    window, titles, drawn, taken = ScriptedWindow(["p", " ", "p", "\r"]), [], [], []
    monkeypatch.setattr(sample_chooser, "open_window", lambda title, zooms: titles.append(title) or window)
    pages = [(name, np.full((32, 64, 3), value, np.float32)) for name, value in (("a", 0.2), ("b", 0.7))]
    sample_chooser.choose_sample(SimpleNamespace(
        draw_sample=lambda number: drawn.append(number) or {"number": number},
        pages=lambda sample, row: pages, set_sample=taken.append,
    ))  # fmt: skip
    assert drawn == [0, 1, 2] and taken == [{"number": 2}]
    assert [round(picture[-1, 0, 0] / 255, 1) for picture in window.shown] == [0.2, 0.2, 0.7, 0.7]
    assert titles == ["[p] - next. [space] - switch preview type. [enter] - confirm."]


@pytest.mark.parametrize(("answer", "half"), [(None, False), ("y", True)])
def test_export_asks_for_half_precision(asked, monkeypatch, tmp_path, answer, half):
    if answer:
        asked.answers["Export"] = answer
    model = tmp_path / "t.dfm"
    model.write_bytes(b"x")
    calls = []
    monkeypatch.setattr("models.base.open_trained", lambda *arguments, **rest: "model")
    export = SimpleNamespace(
        export_path=lambda saved: model,
        export_model=lambda saved, quantized: (
            calls.append((saved, quantized)) or SimpleNamespace(path=model, difference=0)
        ),
    )
    monkeypatch.setitem(sys.modules, "models.export", export)
    exportdfm.run(parsed("exportdfm", "--model-dir", tmp_path, "--model", "SAEHD"))
    assert calls == [("model", half)] and asked.prompts == ["[n] Export quantized? ( y/n ?:help ) : "]
    assert asked.helps[asked.prompts[0]]


# --- merging


def test_merging_asks_for_devices_and_shows_the_model(monkeypatch, tmp_path, capsys):
    calls = []
    model = SimpleNamespace(name="t", class_name="SAEHD", iteration=1234, options={"resolution": 128, "archi": "df-ud"})
    monkeypatch.setattr(device_choice, "choose_devices", lambda *a, **k: calls.append((a, k)) or CARDS[1:])
    monkeypatch.setattr("models.base.open_for_inference", lambda *arguments: model)
    opened, request = steps.open_model(MergeRequest(tmp_path, "SAEHD", tmp_path, engine="tensorflow"))
    assert opened is model
    assert calls == [((False, None), {"several": True})] and request.places == (DEFAULT_PLACE,)
    shown = capsys.readouterr().out
    for text in ("t_SAEHD", "1234", "resolution: 128", "archi: df-ud", "Large"):
        assert text in shown


@pytest.mark.parametrize(("answer", "window"), [(None, True), ("n", False)])
def test_interactive_merger_is_asked_for(asked, monkeypatch, answer, window):
    monkeypatch.setattr(interact, "has_terminal", lambda: True)
    monkeypatch.setattr("core.window.picture_window.window_problem", lambda: None)
    if answer:
        asked.answers["interactive"] = answer
    assert steps._wants_window(MergeRequest(Path("d"), "SAEHD", Path("a"))) is window
    assert asked.prompts == ["[y] Use interactive merger? ( y/n ) : "]


@pytest.mark.parametrize(("flag", "window"), [("--interactive", True), ("--non-interactive", False)])
def test_a_flag_decides_whether_there_is_a_window(asked, monkeypatch, flag, window):
    """Where there are a terminal and a display, so that nothing else decides."""
    monkeypatch.setattr(interact, "has_terminal", lambda: True)
    monkeypatch.setattr("core.window.picture_window.window_problem", lambda: None)
    given = main.build_parser().parse_args(["merge", "--model-dir", "d", "--model", "SAEHD", flag]).interactive
    request = MergeRequest(Path("d"), "SAEHD", Path("a"), interactive=given)
    assert steps._wants_window(request) is window and asked.prompts == []


@pytest.mark.parametrize(("cores", "default"), [(4, 4), (16, 16), (1, 1)])
def test_workers_are_asked_for_within_the_cores(asked, monkeypatch, cores, default):
    monkeypatch.setattr("core.parallel.cpu_count", lambda: cores)
    request = MergeRequest(Path("d"), "SAEHD", Path("a"))
    assert steps._workers(request) == default
    (prompt,) = asked.prompts
    assert prompt == f"[{default}] Number of workers? ( 1-{cores} ?:help ) : " and asked.helps[prompt]
    asked.answers["workers"] = "99"
    assert steps._workers(request) == cores


@pytest.mark.parametrize(("answer", "used"), [(None, True), ("n", False)])
def test_a_saved_session_is_offered(asked, monkeypatch, tmp_path, answer, used):
    from merger.interactive.session import session_path, write_session
    from merger.interactive.state import FrameState

    path = session_path(tmp_path, "t", "SAEHD")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_session(path, [FrameState("1.png", MergeConfig(mode="seamless"))], 0, 5)
    if answer:
        asked.answers["session"] = answer
    request = MergeRequest(tmp_path, "SAEHD", tmp_path)
    model = SimpleNamespace(name="t", iteration=5)
    stored = steps._stored_session(request, model, MergeConfig(), path)
    assert asked.prompts == ["[y] Use saved session? ( y/n ) : "]
    assert (stored is not None) == used
    if used:
        assert stored.configs["1.png"].mode == "seamless"
    for flag in (True, False):
        request = replace(request, use_session=flag)
        assert (steps._stored_session(request, model, MergeConfig(), path) is not None) == flag
    assert len(asked.prompts) == 1, "a flag decides without a question"


def test_two_pass_and_pre_sharpen_are_asked_in_their_place(asked):
    asked.answers = {"two pass": "y", "pre_sharpen": "999"}
    config = ask_settings(MergeConfig(), {})
    labels = [prompt.split("] ", 1)[-1].split(" (")[0] for prompt in asked.prompts]
    start = labels.index("Choose motion blur power")
    assert labels[start + 1 : start + 4] == [
        "Use two pass mode?", "Choose pre_sharpen power", "Choose output face scale modifier",
    ]  # fmt: skip
    assert asked.prompts[start + 1 : start + 3] == [
        "[n] Use two pass mode? ( y/n ?:help ) : ", "[0] Choose pre_sharpen power ( 0..100 ?:help ) : ",
    ]  # fmt: skip
    assert all(asked.helps[prompt] for prompt in asked.prompts[start + 1 : start + 3])
    assert config.two_pass_mode and config.pre_sharpen_power == 100


def test_every_number_of_the_lists_is_what_it_says(asked, capsys):
    """Mode, mask mode and sharpen mode are answered by number, 0 as well."""
    for number, mode in enumerate(MODES):
        asked.answers = {"[1] : ": str(number)}
        assert ask_settings(MergeConfig(), {"mask_mode": 1}).mode == mode
        assert f"({number}) {mode}\n" in capsys.readouterr().out
    for number, name in enumerate(MASK_MODES):
        asked.answers = {"[1] : ": str(number)}
        assert ask_settings(MergeConfig(), {"mode": "overlay"}).mask_mode == number
        assert f"({number}) {name}\n" in capsys.readouterr().out
    for number, name in enumerate(SHARPEN_MODES):
        asked.answers = {"[0] ( ?:help ) : ": str(number)}
        assert ask_settings(MergeConfig(), {"mode": "overlay"}).sharpen_mode == number
        assert f"({number}) {name}\n" in capsys.readouterr().out
