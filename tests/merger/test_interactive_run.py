"""The interactive merger with threads, files and a session, driven without a window."""

import json
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from merge_stubs import first_set_networks, key_of, load

from core.errors import FormatError
from core.window.keys import ESCAPE, TAB
from merger.compose import Motion
from merger.frames import Frame
from merger.interactive.run import InteractiveRun
from merger.interactive.session import StoredSession, from_imported, read_session, resume, write_session
from merger.interactive.session_import import ImportedFrame, ImportedSession
from merger.interactive.state import FrameState
from merger.output import FolderOutput
from merger.settings.config import MergeConfig

INPUTS = load("merge_inputs.npz")


class ScriptedWindow:
    """Presses the next key whenever nothing is waited for."""

    def __init__(self, keys):
        self.keys = [TAB, *keys, ESCAPE]
        self.closed = False

    def show(self, merger):
        self.ready = not merger.waiting or merger.quitting

    def poll(self, seconds):
        time.sleep(0.001)
        return [key_of(self.keys.pop(0))] if self.ready and self.keys else []

    def close(self):
        self.closed = True


class Setup:
    def __init__(self, folder, count=5):
        self.folder = folder
        self.frames, self.networks = [], first_set_networks()
        for name in ("merged", "mask"):
            (folder / name).mkdir(exist_ok=True)
        for index in range(count):
            path = folder / f"{index + 1:05d}.png"
            if not path.exists():
                cv2.imwrite(str(path), np.roll(INPUTS["frame_u8"], index, axis=1))
            self.frames.append(Frame(index, path, (INPUTS["lm_A"],), Motion()))
        self.output = FolderOutput(folder / "merged", folder / "mask", ["stub", 1])
        self.session = folder / "session.json"

    def run(self, keys, iteration=1, **options):
        names = [frame.path.name for frame in self.frames]
        states, position = [FrameState(name) for name in names], 0
        if self.session.exists():
            stored = read_session(self.session, MergeConfig())
            states, position = resume(
                stored, names, iteration, lambda index, config: self.output.is_done(self.frames[index], config)
            )
        run = InteractiveRun(
            self.frames, states, position, MergeConfig(), self.networks, self.output, self.session,
            self.folder / "settings.yaml", iteration, 2, **options,
        )  # fmt: skip
        self.window = ScriptedWindow(keys)
        run.run(self.window)
        assert self.window.closed
        return run

    def merged(self):
        return sorted(path.name for path in (self.folder / "merged").glob("*.png"))


def test_acceptance_scenario(tmp_path, capsys):
    """Set up the first frame, give its settings to all, process the rest, stop."""
    setup = Setup(tmp_path)
    run = setup.run("W?>")
    assert setup.merged() == [f"{number:05d}.png" for number in range(1, 6)]
    assert all(state.done and state.config.erode_mask_modifier == 5 for state in run.merger.frames)
    output = capsys.readouterr().out
    assert output.count("MergerConfig 00001.png:") == 3
    assert "Session is saved to" in output
    assert setup.networks.calls <= 5


def test_a_changed_modifier_asks_the_network_nothing(tmp_path):
    setup = Setup(tmp_path, 1)
    setup.run("wwwee13c")
    assert setup.networks.calls == 1


def test_one_moves_on_from_a_frame_without_face_and_from_none_that_is_not_ready(tmp_path, capsys):
    setup = Setup(tmp_path, 3)
    setup.frames[0] = replace(setup.frames[0], faces=())
    run = setup.run(".")
    assert run.merger.position == 1 and "no faces found for 00001.png, copying without faces" in capsys.readouterr().out
    copied = cv2.imread(str(tmp_path / "merged" / "00001.png"))
    assert np.array_equal(copied, INPUTS["frame_u8"])
    run.merger.key("w"), run.merger.key(".")
    assert run.merger.position == 1


def test_a_session_goes_on_where_it_stopped(tmp_path):
    setup = Setup(tmp_path)
    setup.run("w..")
    again = Setup(tmp_path)
    run = again.run("W")
    assert run.merger.position == 2
    erode = [state.config.erode_mask_modifier if state.config else None for state in run.merger.frames]
    assert erode == [1, 1, 6, 1, None]
    assert again.networks.calls <= 2


def test_added_frames_and_a_trained_model_keep_the_settings(tmp_path):
    setup = Setup(tmp_path, 3)
    setup.run("w>")
    more = Setup(tmp_path, 5)
    run = more.run("")
    assert run.merger.position == 3 and run.merger.frames[3].config.erode_mask_modifier == 1
    more.output = FolderOutput(tmp_path / "merged", tmp_path / "mask", ["stub", 2])
    run = more.run("", iteration=2)
    assert run.merger.position == 0 and run.merger.frames[2].config.erode_mask_modifier == 1
    assert run.merger.frames[0].done and not run.merger.frames[4].done


def test_a_missing_picture_is_made_again(tmp_path):
    Setup(tmp_path).run("...")
    (tmp_path / "mask" / "00002.png").unlink()
    setup = Setup(tmp_path)
    run = setup.run("")
    assert run.merger.position == 1 and (tmp_path / "mask" / "00002.png").exists()


def test_a_failing_frame_is_reported_and_copied(tmp_path, monkeypatch, capsys):
    from merger.interactive import run as interactive_run

    setup = Setup(tmp_path, 3)
    merge_image = interactive_run.merge_image

    def failing(job, networks, neighbours):
        if job.frame.path.name == "00002.png":
            raise RuntimeError("out of order")
        return merge_image(job, networks, neighbours)

    monkeypatch.setattr(interactive_run, "merge_image", failing)
    run = setup.run(">")
    assert [path.name for path in run.failed] == ["00002.png"] and len(setup.merged()) == 3
    assert "out of order; the frame is copied" in capsys.readouterr().err
    copied = cv2.imread(str(tmp_path / "merged" / "00002.png"))
    assert np.array_equal(copied, np.roll(INPUTS["frame_u8"], 1, axis=1))


def test_the_session_is_saved_while_running(tmp_path, monkeypatch):
    from merger.interactive import run as interactive_run

    monkeypatch.setattr(interactive_run, "_SAVE_SECONDS", 0.0)
    setup = Setup(tmp_path)
    seen = []
    original = ScriptedWindow.poll

    def poll(window, milliseconds):
        if setup.session.exists():
            seen.append(json.loads(setup.session.read_text())["current"])
        return original(window, milliseconds)

    monkeypatch.setattr(ScriptedWindow, "poll", poll)
    setup.run("w...")
    assert {"00001.png", "00002.png", "00003.png"} <= set(seen)


def test_sessions_of_deepfacelab_are_imported():
    frames = [
        ImportedFrame("1.png", True, {"mode": "seamless", "mask_mode": 1, "face_type": 4}, [], 0.0, 0.0),
        ImportedFrame("2.png", False, {"erode_mask_modifier": 7, "unknown": 1}, [], 0.0, 0.0),
        ImportedFrame("3.png", False, None, [], 0.0, 0.0),
    ]
    stored = from_imported(ImportedSession(frames, [1, 2], [0], 12), MergeConfig(face_type="head"))
    assert (stored.current, stored.iteration, stored.names) == ("2.png", 12, ("1.png", "2.png", "3.png"))
    assert stored.configs["1.png"].mode == "seamless" and stored.configs["1.png"].face_type == "head"
    states, position = resume(stored, ["1.png", "2.png", "3.png"], 12, lambda index, config: False)
    assert position == 0 and states[1].config.erode_mask_modifier == 7 and states[2].config is None


def test_written_sessions_read_back(tmp_path):
    path = tmp_path / "session.json"
    configs = [MergeConfig(), MergeConfig(mode="seamless"), MergeConfig(), None]
    frames = [FrameState(f"{index}.png", config) for index, config in enumerate(configs)]
    write_session(path, frames, 4, 33)
    stored = read_session(path, MergeConfig())
    assert stored == StoredSession(
        33, None, {f"{i}.png": c for i, c in enumerate(configs) if c}, tuple(f.name for f in frames)
    )
    assert len(json.loads(path.read_text())["settings"]) == 2


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2}', '{"version": 1, "frames": [["a", 5]]}', "\x00", "{" * 5000]
)
def test_damaged_sessions_are_named(tmp_path, text):
    path = tmp_path / "session.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"session\.json"):
        read_session(path, MergeConfig())


def test_steady_colors_are_those_of_a_run_without_a_window(tmp_path):
    from merger.pipeline import Job, merge_frames

    setup = Setup(tmp_path, 8)
    for index, frame in enumerate(setup.frames):
        light = 1 + 0.15 * (-1) ** index
        cv2.imwrite(str(frame.path), np.clip(INPUTS["frame_u8"] * light, 0, 255).astype(np.uint8))
    plain = setup.run(">")
    pictures = {name: cv2.imread(str(tmp_path / "merged" / name)) for name in setup.merged()}
    config = plain.merger.frames[0].config
    setup.session.unlink()
    setup.output = FolderOutput(tmp_path / "merged", tmp_path / "mask", ["stub", 1, "steady"])
    setup.run(">", steady_colors=True)
    results = merge_frames(
        [Job(frame, config) for frame in setup.frames],
        setup.networks,
        lambda job, image, mask: image,
        steady_colors=True,
    )
    for merged in results:
        name = merged.job.frame.path.name
        steady = cv2.imread(str(tmp_path / "merged" / name))
        assert np.array_equal(steady, merged.written) and not np.array_equal(steady, pictures[name])


def test_other_frames_and_a_declined_session_lose_nothing(tmp_path):
    """DeepFaceLab begins anew and deletes the pictures when the number of frames has changed or one says no."""
    Setup(tmp_path, 6).run("Www?>")
    pictures = Setup(tmp_path, 6).merged()
    fewer = Setup(tmp_path, 5).run("")
    assert [state.config.erode_mask_modifier for state in fewer.merger.frames] == [7] * 5 and fewer.merger.position == 0
    setup = Setup(tmp_path, 6)
    setup.session.unlink()
    declined = setup.run("")
    erode = [state.config.erode_mask_modifier if state.config else None for state in declined.merger.frames]
    assert erode == [0, None, None, None, None, None] and declined.merger.position == 0
    assert Setup(tmp_path, 6).merged() == pictures
