"""The training loop with a stand-in for the network: saves, commands, target, bad steps, hooks, previews."""

import json
import os
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest

import main
from core.errors import UsageError, UserError
from models.base import NonFiniteWeights, SavedModel
from models.preview import loss_graph, previewer
from models.preview.previewer import Previewer
from models.preview.web_preview import WebPreview
from models.saved.model_files import ModelData, model_data_to_bytes, read_model_data
from models.training import trainer
from models.training.callbacks import Hook
from models.training.periodic_tasks import ScheduledCommands
from models.training.trainer import BACKUP, PREVIEW, SAVE, STOP, ConsoleLine, Trainer, TrainerSettings, console_line
from models.training.training_session import memory_advice

SIZE = 16


class FakeNetwork:
    """Losses from a list, then a falling curve."""

    resolution = SIZE
    networks, optimizers = {"encoder": None}, {}

    def __init__(self, losses=()):
        self.losses = list(losses)
        self.steps = 0

    def go_on_at(self, iteration):
        pass

    def reuses_previous_batch(self):
        return False

    def train_one_iteration(self, batch):
        self.steps += 1
        return np.array(self.losses.pop(0) if self.losses else (1.0 / self.steps, 2.0 / self.steps))

    def preview_tensors(self, batch):
        count = len(batch["target_src"])
        faces, masks = np.full((count, SIZE, SIZE, 3), 0.5, np.float32), np.ones((count, SIZE, SIZE, 1), np.float32)
        return {name: faces if name[0] == "P" else masks for name in ("P_ss", "Q_ss", "P_dd", "Q_dd", "P_sd", "Q_sd")}


class FakeSaved(SavedModel):
    """Saves its state and one weight file that holds the iteration."""

    options = {"target_iter": 0, "batch_size": 4, "face_type": "f", "write_preview_history": False}

    def __init__(self, folder, losses=(), **options):
        super().__init__(folder, "SAEHD", "t")
        self.network = FakeNetwork(losses)
        self.data.options = {**self.options, **options}
        self.fail_with = None

    @property
    def effective(self):
        return self.data.options

    def snapshot(self):
        data = ModelData(self.iteration, dict(self.data.options), list(self.data.loss_history))
        text = str(self.iteration).encode()

        def weights():
            if self.fail_with:
                raise self.fail_with
            return text

        return {self.weight_name("encoder"): weights, self.state_path.name: model_data_to_bytes(data)}

    def restore_last_save(self):
        self.data = read_model_data(self.state_path)
        return self.iteration


class FakeLoader:
    waited_seconds = 0.0


class FakeData:
    loader = FakeLoader()

    def __init__(self):
        self.closed = False

    def next(self):
        time.sleep(0.001)
        return self.preview_batch(0, 4)

    def preview_batch(self, number, count):
        random = np.random.default_rng(number)
        faces = random.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
        batch = {}
        for side in ("src", "dst"):
            batch[f"warped_{side}"] = batch[f"target_{side}"] = faces
            batch[f"target_{side}m"] = faces[..., :1]
        return batch

    def preview_faces(self, count):
        return {}

    def close(self):
        self.closed = True


def make_trainer(folder, losses=(), window=False, save_every=0, save_minutes=25.0, **options):
    saved = FakeSaved(folder, losses, **options)
    data = FakeData()
    shown = Previewer(saved, data, window)
    shown.load_sample()
    settings = TrainerSettings(save_every=save_every, save_minutes=save_minutes, hooks=[shown])
    return Trainer(saved, data, settings, shown)


def saved_iteration(folder):
    state = read_model_data(folder / "t_SAEHD_data.dat").iteration
    assert (folder / "t_SAEHD_encoder.npy").read_text() == str(state)
    return state


def wait_for(condition):
    """Wait until something has happened in another thread or process."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "the awaited did not happen"
        time.sleep(0.002)


def run_until(running, condition):
    thread = running.start()
    wait_for(lambda: condition() or running.finished.is_set())
    return thread


def stop(running, thread):
    running.send(STOP)
    thread.join(120)
    assert not thread.is_alive()


def test_trains_to_the_target_and_saves(tmp_path, capsys):
    running = make_trainer(tmp_path, target_iter=7)
    running.run()
    assert running.failure is None and running.data.closed and saved_iteration(tmp_path) == 7
    assert len(read_model_data(tmp_path / "t_SAEHD_data.dat").loss_history) == 7
    output = capsys.readouterr().out
    assert "Target iteration: 7. Press Ctrl+C" in output and "Reached target iteration." in output
    assert "Trying to do the first iteration." in output
    assert (tmp_path / "t_SAEHD_preview.jpg").exists()


def test_started_beyond_the_target_trains_nothing(tmp_path, capsys):
    running = make_trainer(tmp_path, target_iter=7)
    running.saved.data.iteration = 9
    running.run()
    assert running.saved.network.steps == 0 and not (tmp_path / "t_SAEHD_data.dat").exists()
    assert "already trained to target iteration" in capsys.readouterr().out


def test_saves_after_iteration_1_and_every_n(tmp_path, monkeypatch):
    at = []
    running = make_trainer(tmp_path, target_iter=25, save_every=10)

    class Note(Hook):
        def after_save(self, trainer):
            at.append(trainer.saved.iteration)

    running.settings.hooks.append(Note())
    running.run()
    assert at == [1, 10, 20, 25]


def test_autosave_keeps_its_grid(tmp_path, monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(trainer.time, "monotonic", lambda: clock["now"])
    at = []
    running = make_trainer(tmp_path, target_iter=8, save_minutes=1.0)

    class Note(Hook):
        def after_iteration(self, trainer, losses, seconds):
            clock["now"] += 45.0

        def after_save(self, trainer):
            at.append(trainer.saved.iteration)

    running.settings.hooks.append(Note())
    running.run()
    # Iterations end at 45, 90 (save of 60), 135 (120), 180 (180), 225, 270 (240), 315 (300), 360 (goal).
    assert at == [1, 2, 3, 4, 6, 7, 8]


def test_stop_saves_and_ends(tmp_path):
    running = make_trainer(tmp_path)
    thread = run_until(running, lambda: running.saved.iteration > 5)
    stop(running, thread)
    assert running.failure is None and saved_iteration(tmp_path) == running.saved.iteration > 5


def test_backup_saves_first(tmp_path):
    running = make_trainer(tmp_path)
    thread = run_until(running, lambda: running.saved.iteration > 3)
    running.send(BACKUP)
    slot = tmp_path / "t_SAEHD_autobackups/01"
    wait_for(slot.exists)
    stop(running, thread)
    assert int((slot / "t_SAEHD_encoder.npy").read_text()) > 3
    assert read_model_data(slot / "t_SAEHD_data.dat").iteration == int((slot / "t_SAEHD_encoder.npy").read_text())
    assert (slot / "preview_SAEHD.jpg").exists() and (slot / "preview_SAEHD masked.jpg").exists()


@pytest.mark.parametrize(
    ("hours", "flag", "backups"), [(0, 0.0, []), (1, 0.0, [4, 8]), (2, 0.0, [8]), (0, 1.0, [4, 8])]
)
def test_backups_come_every_so_many_hours_with_a_save(tmp_path, monkeypatch, hours, flag, backups):
    """An iteration takes 15 minutes here; the option or the flag decides, and a backup waits for the next save."""
    clock, made = {"now": 0.0}, []
    monkeypatch.setattr(trainer.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(
        trainer, "make_backup", lambda saved, pages: made.append((saved.iteration, [name for name, _ in pages]))
    )
    running = make_trainer(tmp_path, target_iter=9, save_every=2, autobackup_hour=hours)
    running.settings.backup_hours = flag

    class Note(Hook):
        def after_iteration(self, trainer, losses, seconds):
            clock["now"] += 900.0

        def after_save(self, trainer):
            trainer._saver.wait()

    running.settings.hooks.append(Note())
    running.run()
    assert running.failure is None
    assert made == [(iteration, ["SAEHD", "SAEHD masked", "SAEHD masks"]) for iteration in backups]


def test_save_and_preview_commands(tmp_path):
    running = make_trainer(tmp_path, window=True)
    thread = run_until(running, lambda: running.saved.iteration > 3)
    first = running.previewer.state
    running.send(SAVE)
    running.send(PREVIEW)
    wait_for(lambda: running.previewer.state is not first)
    assert running.previewer.state.iteration > first.iteration
    stop(running, thread)
    assert not (tmp_path / "t_SAEHD_preview.jpg").exists()


def test_after_the_target_a_window_still_gets_previews_but_nothing_is_saved(tmp_path):
    running = make_trainer(tmp_path, window=True, target_iter=3)
    thread = run_until(running, lambda: running.reached_target and running.previewer.state.iteration == 3)
    stamp = (tmp_path / "t_SAEHD_data.dat").stat().st_mtime_ns
    first = running.previewer.state
    running.send(SAVE)
    running.send(PREVIEW)
    wait_for(lambda: running.previewer.state is not first)
    assert (running.previewer.state.pages[0][1] != first.pages[0][1]).any()
    stop(running, thread)
    assert running.saved.network.steps == 3 and (tmp_path / "t_SAEHD_data.dat").stat().st_mtime_ns == stamp


def test_a_bad_step_is_skipped_and_named(tmp_path, capsys):
    running = make_trainer(tmp_path, [(1, 1), (np.nan, 1), (0.5, 0.5)], target_iter=2)
    running.run()
    assert running.failure is None and saved_iteration(tmp_path) == 2
    assert running.saved.data.loss_history == [[1.0, 1.0], [0.5, 0.5]]
    assert "Iteration 2: a loss or gradient is not finite" in capsys.readouterr().err


def test_several_bad_steps_restore_the_last_save_and_then_end(tmp_path, capsys):
    running = make_trainer(tmp_path, [(1, 1), (1, 1)] + [(np.inf, 1)] * 50)
    running.run()
    assert isinstance(running.failure, UserError) and "last good save was kept" in str(running.failure)
    assert "went back to the save of iteration 1" in capsys.readouterr().err
    assert saved_iteration(tmp_path) == 1


def test_weights_that_are_not_finite_never_replace_a_good_save(tmp_path):
    running = make_trainer(tmp_path, save_every=5, target_iter=50)

    class Poison(Hook):
        def after_iteration(self, trainer, losses, seconds):
            if trainer.saved.iteration == 12:
                trainer.saved.fail_with = NonFiniteWeights("encoder: weight:0 is not finite. This state is not saved.")

    running.settings.hooks.append(Poison())
    running.run()
    assert isinstance(running.failure, NonFiniteWeights) and saved_iteration(tmp_path) == 10


def test_history_pictures_come_at_their_step(tmp_path):
    running = make_trainer(tmp_path, target_iter=25, write_preview_history=True)
    running.run()
    names = sorted(path.name for path in (tmp_path / "t_SAEHD_history/SAEHD").iterdir())
    assert {path.name for path in (tmp_path / "t_SAEHD_history").iterdir()} == {"SAEHD", "SAEHD masked", "SAEHD masks"}
    assert names == ["0000000.jpg", "0000010.jpg", "0000020.jpg", "_last.jpg"]
    for resolution, step in ((64, 10), (128, 20), (224, 30), (256, 40), (640, 100)):
        running.saved.network.resolution = resolution
        assert running.previewer.history_step() == step


def test_without_the_option_there_are_no_history_pictures(tmp_path):
    make_trainer(tmp_path, target_iter=25).run()
    assert not (tmp_path / "t_SAEHD_history").exists()


def test_the_stored_preview_sample_is_taken_in_either_layout(tmp_path):
    running = make_trainer(tmp_path)
    stored = running.saved.data.sample_for_preview
    assert [len(side) for side in stored] == [3, 3] and stored[0][0].dtype == np.float32
    wanted = running.previewer.sample["target_src"]
    running.saved.data.sample_for_preview = [[array.transpose(0, 3, 1, 2) for array in side] for side in stored]
    np.testing.assert_array_equal(previewer._stored_sample(running.saved)["target_src"], wanted)
    running.saved.data.sample_for_preview = [[array[:, :8] for array in side] for side in stored]
    assert previewer._stored_sample(running.saved) is None


def test_console_line_layout():
    assert console_line(123, 0.456, (0.1234, 0.5678))[10:] == "[#000123][0456ms][0.1234][0.5678]"
    assert console_line(1, 12.3456, (1,))[10:] == "[#000001][12.34s][1.0000]"
    assert console_line(1, 123.456, (1,))[10:] == "[#000001][123.4s][1.0000]"


def test_kept_line_shows_the_mean_since_the_last_save(capsys):
    line = ConsoleLine()
    for value in (1.0, 2.0):
        line.show(1, 0.1, np.array([value]))
    line.after_save()
    line.show(3, 0.1, np.array([6.0]))
    assert capsys.readouterr().out.rstrip().endswith("[3.0000]")
    line.after_save()
    line.show(4, 0.1, np.array([5.0]))
    assert capsys.readouterr().out.rstrip().endswith("[5.0000]")


def test_scheduled_commands(tmp_path, monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr("models.training.periodic_tasks.time.monotonic", lambda: clock["now"])
    sent = []
    target = type("T", (), {"send": lambda self, command: sent.append((clock["now"], command))})()
    marker = tmp_path / "ran"
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()"
    program = ["4", f'"{sys.executable}" -c "{code}"']
    commands = ScheduledCommands(target, [["5", "save"], ["-3", "backup"]], [program])
    for now in range(1, 10):
        clock["now"] = float(now)
        commands.after_iteration(target, (), 0.1)
    assert sent == [(3, BACKUP), (5, SAVE), (6, BACKUP), (9, BACKUP)]
    monkeypatch.undo()
    wait_for(marker.exists)
    with pytest.raises(UsageError, match="Python code is not run"):
        ScheduledCommands(target, [["5", "import os"]], [])
    with pytest.raises(UsageError, match="number of seconds"):
        ScheduledCommands(target, [["x", "save"]], [])


def test_web_preview_is_local_and_read_only(tmp_path):
    running = make_trainer(tmp_path, target_iter=3)
    web = WebPreview(0, running)
    address = f"http://127.0.0.1:{web.port}"
    try:
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}/preview.jpg")
        running.settings.hooks.remove(running.previewer)
        running.run()
        assert b"t_SAEHD" in urllib.request.urlopen(address).read()
        status = json.load(urllib.request.urlopen(f"{address}/status"))
        assert status["iteration"] == 3 and status["pages"] == ["SAEHD", "SAEHD masked", "SAEHD masks"]
        picture = urllib.request.urlopen(f"{address}/preview.jpg?page=1")
        assert picture.headers["Content-Type"] == "image/jpeg" and picture.read(2) == b"\xff\xd8"
        for request in (
            urllib.request.Request(f"{address}/status", data=b"x"),
            urllib.request.Request(f"{address}/status", headers={"Host": "evil.example"}),
            urllib.request.Request(f"{address}/../etc/passwd"),
        ):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(request)
        assert web._server.server_address[0] == "127.0.0.1"
        with pytest.raises(UserError, match="cannot be used"):
            WebPreview(web.port, running)
    finally:
        web.close()


def test_memory_advice_names_the_options_to_lower():
    text = memory_advice("SAEHD", {"batch_size": 8, "gan_power": 0.1, "models_opt_on_gpu": True, "adabelief": True})
    assert (
        text.index("batch_size (now 8)")
        < text.index("gan_dims")
        < text.index("models_opt_on_gpu=n")
        < text.index("ada")
    )


def test_a_failing_iteration_ends_with_its_error_and_closes_everything(tmp_path):
    running = make_trainer(tmp_path)
    running.saved.network.train_one_iteration = lambda batch: 1 / 0
    running.run()
    assert isinstance(running.failure, ZeroDivisionError) and running.finished.is_set() and running.data.closed
    assert not any(thread.name == "saving" for thread in threading.enumerate())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--saving-time", "0"), ("--saving-time", "nan"), ("--saving-time", "inf"), ("--save-every", "-1"),
        ("--backup-every", "nan"), ("--backup-every", "-1"), ("--holdout", "-1"), ("--workers", "0"), ("--cache-mb", "-1"),
        ("--web-preview", "0"), ("--web-preview", "70000"), ("--seed", "-1"), ("--seed", "4294967296"),
    ],
)  # fmt: skip
def test_a_flag_outside_of_its_range_is_refused(tmp_path, flag, value, capsys):
    words = [
        "train",
        "--training-data-src-dir",
        "a",
        "--training-data-dst-dir",
        "b",
        "--model-dir",
        str(tmp_path / "m"),
    ]
    assert main.main([*words, "--model", "SAEHD", "--keep-priority", flag, value]) == 2
    assert capsys.readouterr().err.startswith(f"/!\\ {flag} ") and not (tmp_path / "m").exists()


BLUE, YELLOW = (tuple(part / 255 for part in color) for color in loss_graph.RANGE_COLORS)
GRAPH_WIDTH = 142  # a hundred columns of losses between the axes


def plotted(history, *arguments):
    """The part of a graph in which the losses are drawn, 100 columns wide."""
    return loss_graph.loss_graph(history, GRAPH_WIDTH, *arguments)[loss_graph.plot_area(GRAPH_WIDTH)]


def test_loss_graph_of_two_series():
    history = [[0.2, 0.8]] * 50 + [[float("nan"), 0.4]] * 50
    plot = plotted(history, 100)
    assert plot.shape[1:] == (100, 3)
    top, last = 2 * np.nanmean(np.array(history)[20:]), len(plot) - 1
    np.testing.assert_allclose(plot[last - int(0.2 / top * last), 30], BLUE)
    np.testing.assert_allclose(plot[last - int(0.8 / top * last), 30], YELLOW)
    assert not np.isclose(plot[:, 80], BLUE).all(axis=1).any()
    assert loss_graph.loss_graph([], 50).shape == (loss_graph.GRAPH_HEIGHT, 50, 3)
    for width in (1, 20, 50, 2000):
        assert np.isfinite(loss_graph.loss_graph([[0.0]] * 3, width, 3, [[1, 0.1, 0.2]])).all()


def test_the_graph_has_axes_and_names_its_losses(monkeypatch):
    written = []
    monkeypatch.setattr(loss_graph, "write_text", lambda picture, text, *place: written.append(text))
    scores = [[10, 0.2, 0.3, 20, 21], [4000, 0.15, 0.25, 20, 21], [4500, 0.1, 0.2, 22, 23]]
    loss_graph.loss_graph([[0.5, 1.0]] * 2000, 640, 5000, scores)
    assert {"source 0.5000 (mean 0.5000)", "destination 1.0000 (mean 1.0000)", "iteration 5000"} <= set(written)
    assert {"held-out source 0.1000", "held-out destination 0.2000"} <= set(written)
    assert {"3500", "4000", "4500", "5000"} <= set(written) and "3000" not in written
    assert {"0", "0.5", "1"} <= set(written), "ticks of the losses"
    assert {"0.1", "0.2"} <= set(written), "ticks of the held-out scores"
    written.clear()
    loss_graph.loss_graph([[0.5]] * 5, 300, 5)
    assert "loss 0.5000 (mean 0.5000)" in written and {"2", "4"} <= set(written)


def test_held_out_scores_are_drawn_where_they_were_made():
    history = [[0.1, 0.2]] * 200
    scores = [[iteration, 0.5, 0.25, 20, 20] for iteration in range(0, 201, 20)]
    area = loss_graph.plot_area(GRAPH_WIDTH, True)
    without = loss_graph.loss_graph(history, GRAPH_WIDTH, 200)[area]
    plot = loss_graph.loss_graph(history, GRAPH_WIDTH, 200, scores)[area]
    red, purple = (np.array(color) / 255 for color in loss_graph.HELD_OUT_COLORS)
    for color, share in ((red, 0.5), (purple, 0.25)):
        rows, columns = np.nonzero(np.isclose(plot, color, atol=1e-6).all(axis=2))
        assert abs(np.median(rows) - (len(plot) - 1) * (1 - share / 0.6)) <= 2
        assert columns.min() >= 3 and columns.max() == plot.shape[1] - 1
        assert not np.isclose(without, color, atol=1e-6).all(axis=2).any()


def test_the_colors_differ_in_lightness_too():
    """Whoever sees no colours tells source, destination and the ground apart."""
    colors = np.array([(0, 0, 0), *loss_graph.RANGE_COLORS], np.float64)
    lightness = np.sort(colors @ (0.114, 0.587, 0.299))
    assert (np.diff(lightness) > 40).all()


def drawn(plot, column):
    """Height of the blue and of the yellow column."""
    part = plot[:, column]
    return [int(np.isclose(part, color).all(axis=1).sum()) for color in (BLUE, YELLOW)]


@pytest.mark.parametrize("bad", [float("inf"), float("-inf"), float("nan"), 1e30, 1e308])
@pytest.mark.parametrize("place", [0, 30, 99])
def test_one_loss_that_is_not_finite_leaves_the_graph_and_is_marked(bad, place):
    history = [[0.1, 0.5], [0.3, 0.9]] * 200  # four iterations a column
    whole = plotted(history)
    history[4 * place] = [bad, 0.5]
    plot = plotted(history)
    for column in set(range(100)) - {place}:
        np.testing.assert_allclose(drawn(plot, column), drawn(whole, column), atol=1)
    assert min(drawn(whole, 50)) > 10
    red = (plot[:6] == (0.0, 0.0, 1.0)).all(axis=(0, 2))
    assert red.tolist() == [column == place for column in range(100)]
    assert not (whole[:6] == (0.0, 0.0, 1.0)).all(axis=2).any()


def test_a_graph_without_any_finite_loss_is_drawn_too():
    for history in ([[float("nan")] * 2] * 5, [[float("inf")]], [[]], [[0.1, 0.2]] * 5 + [[]]):
        assert np.isfinite(loss_graph.loss_graph(history, 60)).all()
    assert min(drawn(plotted([[0.1, 0.5], [0.3, 0.9]] * 200 + [[0.5]]), 50)) > 10


def test_a_loss_history_with_gaps_is_stored_loaded_and_shown_in_the_browser(tmp_path, capsys):
    running = make_trainer(tmp_path, window=True, target_iter=2)
    history = [[float("nan"), 1.0], [float("inf"), 2.0]]
    running.saved.data.iteration, running.saved.data.loss_history = 2, list(history)
    (tmp_path / "d.dat").write_bytes(model_data_to_bytes(running.saved.data))
    assert repr(read_model_data(tmp_path / "d.dat").loss_history) == repr(history)
    web = WebPreview(0, running)
    try:
        told = urllib.request.urlopen(f"http://127.0.0.1:{web.port}/status", timeout=30).read()
    finally:
        web.close()
    assert json.loads(told, parse_constant=lambda name: pytest.fail(f"no JSON: {name}"))["losses"] == [None, 2.0]


def test_an_unexpected_error_keeps_the_state_beside_the_last_save(tmp_path):
    running = make_trainer(tmp_path)

    class Fail(Hook):
        def after_iteration(self, trainer, losses, seconds):
            if trainer.saved.iteration == 5:
                raise ZeroDivisionError

    running.settings.hooks.append(Fail())
    running.run()
    assert isinstance(running.failure, ZeroDivisionError) and saved_iteration(tmp_path) == 1
    assert saved_iteration(tmp_path / "t_SAEHD_emergency_5") == 5
