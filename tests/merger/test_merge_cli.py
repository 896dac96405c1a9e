"""The merge command from the outside: files, questions, failures, resume, memory."""

import signal

import cv2
import numpy as np
import pytest
import yaml
from merge_workspace import INPUTS, ROOT, Workspace, interrupt

from core.console import interact
from merger.settings.config import MergeConfig


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, 5, without=(2,))


def test_frames_masks_and_copies(workspace):
    code, output = workspace.merge("--yes")
    assert code == 0, output
    assert "no faces found for 00003.png, copying without faces" in output
    assert len(workspace.results()) == 10
    for number in range(1, 6):
        frame = cv2.imread(str(workspace.frames / f"{number:05d}.png"))
        merged = cv2.imread(str(workspace.merged / f"{number:05d}.png"), cv2.IMREAD_UNCHANGED)
        mask = cv2.imread(str(workspace.masks / f"{number:05d}.png"), cv2.IMREAD_UNCHANGED)
        assert merged.dtype == mask.dtype == np.uint8 and mask.ndim == 2 and merged.shape == frame.shape
        assert np.array_equal(merged[mask == 0], frame[mask == 0])
        assert mask.any() == (number != 3)
        if number != 3:
            # The face as its landmarks outline it, white inside and black outside.
            outline = np.zeros_like(mask)
            points = INPUTS["lm_A"] + [3 * np.sin((number - 1) / 2), 0]
            cv2.fillConvexPoly(outline, cv2.convexHull(points.astype(np.int32)), 255)
            kernel = np.ones((9, 9), np.uint8)
            inside, outside = cv2.erode(outline, kernel) > 0, cv2.dilate(outline, kernel, iterations=4) == 0
            assert inside.sum() > 200 and mask[inside].mean() > 240 and not mask[outside].any()
            assert (merged[inside] != frame[inside]).any(axis=-1).mean() > 0.9


def test_a_second_run_merges_only_what_changed(workspace):
    assert workspace.merge("--yes")[0] == 0
    times = {path: path.stat().st_mtime_ns for path in workspace.merged.glob("*.png")}
    (workspace.merged / "00002.png").unlink()
    code, output = workspace.merge("--yes")
    assert code == 0 and "4 of 5 frames are merged already" in output
    changed = [path.name for path in times if path.stat().st_mtime_ns != times[path]]
    assert changed == ["00002.png"]
    code, output = workspace.merge("--yes", "--erode-mask-modifier", "9")
    assert code == 0 and "merged already" not in output
    code, output = workspace.merge("--yes", "--erode-mask-modifier", "9", "--overwrite")
    assert code == 0 and "merged already" not in output


def test_piped_answers_are_taken(workspace):
    code, output = workspace.merge(answers="6\n4\n\n\n0\n\n\n1\n")
    assert code == 0, output
    assert "[1] : " in output and "Choose super resolution power" in output and "Choose erode" not in output
    assert output.index("Choose super resolution power") < output.index("Number of workers?")
    assert len(workspace.results()) == 10 and not list(workspace.model.iterdir())
    assert cv2.imread(str(workspace.merged / "00001.png")).shape == (64, 64, 3)
    assert not cv2.imread(str(workspace.merged / "00003.png")).any()


def test_flags_and_file_leave_nothing_to_ask(workspace):
    config = workspace.folder / "settings.yaml"
    config.write_text(
        "mode: seamless\nmask_mode: dst\nerode_mask_modifier: {0: 0, 4: 20}\nblur_mask_modifier: 4\nmotion_blur_power: 0\n"
        "two_pass_mode: none\npre_sharpen_power: 0\noutput_face_scale: 0\ncolor_transfer_mode: lct\nsharpen_mode: none\n"
        "super_resolution_power: 0\nimage_denoise_power: 0\nbicubic_degrade_power: 0\ncolor_degrade_power: 0\n"
    )
    used = workspace.folder / "used.yaml"
    arguments = ("--config", config, "--mask-mode", "2", "--workers", "2", "--export-settings", used)
    code, output = workspace.merge(*arguments)
    assert code == 0 and "Choose" not in output and " : " not in output, output
    stored = yaml.safe_load(used.read_text())
    assert stored["mask_mode"] == "learned-prd" and stored["mode"] == "seamless"
    assert stored["erode_mask_modifier"] == {"interpolation": "hold", 0: 0, 1: 5, 2: 10, 3: 15, 4: 20}
    code, output = workspace.merge("--config", used, "--workers", "1")
    assert code == 0 and "5 of 5 frames are merged already" in output


def test_failing_frames_are_reported_and_the_rest_is_merged(workspace):
    (workspace.frames / "00002.png").write_bytes(b"no picture")
    code, output = workspace.merge("--yes")
    assert code == 1
    assert "Error while merging file" in output and "nothing is written" in output
    assert "1 of 5 frames were not merged: 00002.png" in output
    assert sorted(path.name for path in workspace.merged.glob("*.png")) == [f"0000{n}.png" for n in (1, 3, 4, 5)]


def test_pictures_of_frames_in_work_are_known_as_own(tmp_path):
    from merger.frames import Frame
    from merger.output import FolderOutput

    frames = [Frame(index, tmp_path / f"{index}.png", ()) for index in range(3)]
    (tmp_path / "mask").mkdir()
    output = FolderOutput(tmp_path, tmp_path / "mask", "run")
    for frame in frames[:2]:
        output.write(frame, np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
    output.note(frames[0], MergeConfig())
    cv2.imwrite(str(tmp_path / "2.png"), np.zeros((4, 4, 3), np.uint8))
    again = FolderOutput(tmp_path, tmp_path / "mask", "run")
    assert [again.foreign([frame]) for frame in frames] == [0, 0, 1]
    assert [again.is_done(frame, MergeConfig()) for frame in frames] == [True, False, False]
    (tmp_path / "0.png").write_bytes(b"changed by hand")
    assert again.foreign(frames[:1]) == 1


def test_pictures_of_others_are_not_replaced_without_a_yes(workspace):
    workspace.merged.mkdir()
    mine = workspace.merged / "00001.png"
    cv2.imwrite(str(mine), np.zeros((4, 4, 3), np.uint8))
    before = mine.read_bytes()
    code, output = workspace.merge("--workers", "1")
    assert code == 1 and "--overwrite" in output and mine.read_bytes() == before
    assert workspace.merge("--workers", "1", "--yes")[0] == 0
    trash = workspace.merged.with_name(f"{workspace.merged.name}_trash")
    assert mine.read_bytes() != before and (trash / mine.name).read_bytes() == before, "--yes throws nothing away"
    mine.write_bytes(before)
    assert workspace.merge("--workers", "1", "--overwrite")[0] == 0
    assert mine.read_bytes() != before


@pytest.mark.parametrize(
    "change, message",
    [
        (("--input-dir", "nowhere"), "Input directory not found"),
        (("--aligned-dir", "nowhere"), "Aligned directory not found"),
        (("--config", "missing.yaml"), "missing.yaml"),
        (("--blur-mask-modifier", "401"), "blur_mask_modifier must be a whole number from 0 to 400"),
        (("--mode", "seemless"), "mode cannot be 'seemless'"),
        (("--workers", "0"), "--workers is 0"),
        (("--smooth-landmarks", "0"), "--smooth-landmarks is 0"),
        (("--output-video", "x.mp4"), "either --output-dir or --output-video"),
        (("--mask-mode", "XSeg-prd"), "no trained XSeg model"),
    ],
)
def test_wrong_use_is_explained_in_one_line(workspace, change, message, monkeypatch, capsys):
    from merge_program import StubModel

    import main
    from merger.run import steps

    monkeypatch.setattr(steps, "open_model", lambda request: (StubModel(), request))
    monkeypatch.setitem(interact._state, "assume_yes", False)
    monkeypatch.chdir(workspace.folder)
    assert main.main(["merge", *map(str, workspace.arguments("--yes", *change))]) in (1, 2, 3)
    captured = capsys.readouterr()
    assert message in captured.err and "Traceback" not in captured.err


def test_no_frames(workspace, capsys):
    code, output = workspace.merge(
        "--yes", "--input-dir", workspace.model, "--aligned-dir", workspace.frames / "aligned"
    )
    assert code == 3 and "No frames to merge in input_dir." in output


def test_a_wrong_aligned_folder_is_noticed(workspace):
    for path in workspace.frames.glob("*.png"):
        path.rename(path.with_name(f"other_{path.name}"))
    code, output = workspace.merge("--yes")
    assert code == 0 and "Is it the right aligned folder?" in output


def test_kill_and_resume_give_the_same_bytes(tmp_path):
    whole, killed = Workspace(tmp_path / "whole", 40), Workspace(tmp_path / "killed", 40)
    extra = ("--yes", "--color-transfer-mode", "sot-m", "--smooth-color", "--smooth-landmarks")
    assert whole.merge(*extra)[0] == 0
    for faces in ("24", "36"):  # Colours look 12 frames ahead, so at most 12 and 24 frames are done then.
        enough = killed.noted() + 5
        small = killed.arguments(*extra, "--workers", "2", "--batch-size", "2")
        process = killed.start(*small, STOP_AFTER_FACES=faces)
        interrupt(process, signal.SIGKILL, lambda enough=enough: killed.noted() >= enough)
        assert enough <= killed.noted() <= 24
    # Nobody is there to say yes, and nothing is asked: what the killed runs have left is known.
    code, output = killed.merge(*extra[1:], "--workers", "2")
    assert code == 0 and "frames are merged already" in output, output
    assert killed.results() == whole.results() and len(whole.results()) == 80
    assert not list(killed.merged.glob(".*")) and not list(killed.masks.glob(".*"))


def test_video_to_video(tmp_path):
    from core.video.frames import open_writer, read_frames

    workspace = Workspace(tmp_path, 12)
    frames = [cv2.imread(str(path)) for path in sorted(workspace.frames.glob("*.png"))]
    source, target = tmp_path / "dst.mp4", tmp_path / "result.mp4"
    with open_writer(source, 25, (160, 128)) as writer:
        for frame in frames:
            writer.write(frame)
    process = workspace.start(
        *("--input-video", source, "--output-video", target, "--aligned-dir", workspace.frames / "aligned"),
        *("--model-dir", workspace.model, "--model", "SAEHD", "--yes", "--no-provenance", "--output-mask-dir", workspace.masks),
    )  # fmt: skip
    output, _ = process.communicate("", timeout=600)
    assert process.returncode == 0, output
    assert workspace.merge("--yes")[0] == 0
    results = list(read_frames(target))
    assert len(results) == 12 and len(list(workspace.masks.glob("*.png"))) == 12
    for number, result in enumerate(results):
        merged = cv2.imread(str(workspace.merged / f"{number + 1:05d}.png"))
        assert np.abs(result.astype(int) - merged).mean() < np.abs(result.astype(int) - frames[number]).mean()
        assert np.abs(result.astype(int) - merged).mean() < 12


@pytest.mark.parametrize("hdr", ["tonemap", "keep"])
def test_hdr_video_to_a_video_whose_tags_are_true(tmp_path, hdr):
    from core.video.frames import ColourTags, open_writer, probe
    from core.video.reading.probe import SDR

    workspace = Workspace(tmp_path, 2)
    tags = ColourTags("bt2020nc", "bt2020", "smpte2084", "tv")
    with open_writer(tmp_path / "dst.mp4", 25, (160, 128), colour=tags) as writer:
        for path in sorted(workspace.frames.glob("*.png")):
            writer.write(cv2.imread(str(path)))
    process = workspace.start(
        *("--input-video", tmp_path / "dst.mp4", "--output-video", tmp_path / "result.mp4", "--hdr", hdr, "--yes"),
        *("--aligned-dir", workspace.frames / "aligned", "--model-dir", workspace.model, "--model", "SAEHD"),
        "--no-provenance",
    )  # fmt: skip
    output, _ = process.communicate("", timeout=600)
    assert process.returncode == 0, output
    assert ("tone-mapped" if hdr == "tonemap" else "its values are kept") in output
    assert probe(tmp_path / "result.mp4").colour == (SDR if hdr == "tonemap" else tags)


def peak_megabytes(output):
    return int(output.rsplit("PEAK ", 1)[1].split()[0]) / 1024


@pytest.mark.slow
def test_memory_is_flat_over_2000_frames(tmp_path):
    peaks = []
    for count in (200, 2000):
        workspace = Workspace(tmp_path / str(count), count)
        code, output = workspace.merge("--yes", "--color-transfer-mode", "rct")
        assert code == 0 and len(workspace.results()) == 2 * count
        peaks.append(peak_megabytes(output))
    print(f"peak memory with 200 and 2000 frames, MiB: {peaks}")
    assert peaks[0] > 0 and peaks[1] - peaks[0] < 40, peaks


TINY = {"resolution": 64, "face_type": "f", "ae_dims": 32, "e_dims": 16, "d_dims": 16, "d_mask_dims": 16}


@pytest.mark.parametrize(
    "kind, options, extra",
    [
        ("SAEHD", {**TINY, "archi": "df"}, ()),
        pytest.param("AMP", {**TINY, "inter_dims": 32}, ("--morph-factor", "0.5"), marks=pytest.mark.slow),
        pytest.param("Quick96", {}, (), marks=pytest.mark.slow),
    ],
)
def test_a_trained_model_merges_through_main(tmp_path, kind, options, extra):
    from models.base import SavedModel

    workspace = Workspace(tmp_path, 3)
    saved = SavedModel(workspace.model, kind, "tiny")
    saved.data.options = {**options, "batch_size": 2}
    saved.build(training=True, seed=1)
    saved.data.iteration, saved.data.loss_history = 1, [[1.0, 1.0]]
    saved.save()
    arguments = ["merge", *workspace.arguments("--yes", "--cpu-only", "--mask-mode", "0", "--model", kind, *extra)]
    process = workspace.start(*arguments, program=ROOT / "main.py")
    output, _ = process.communicate("", timeout=600)
    assert process.returncode == 0, output
    assert len(workspace.results()) == 6 and (workspace.merged / "provenance.json").is_file()
    frame, merged = (cv2.imread(str(folder / "00001.png")) for folder in (workspace.frames, workspace.merged))
    assert (frame != merged).any(axis=2).mean() > 0.1
