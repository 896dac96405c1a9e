"""Whole training runs with small real networks: start, resume, DeepFaceLab's files, edge facesets, export."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import make_faceset, write_face

from core.console import interact
from core.errors import NothingToDo, UsageError, UserError
from core.networks.weight_files import read_weights
from main import build_parser
from mainscripts.train import request_of
from models.base import NonFiniteWeights, SavedModel, open_for_inference, open_trained
from models.registry import effective_options
from models.saved.model_files import read_default_options, read_model_data
from models.trainable_model import TrainableModel
from models.training.training_data import DataSettings, SwapData
from models.training.training_session import TrainingSession

ROOT = Path(__file__).parents[2]
TINY = ("resolution=64", "ae_dims=32", "e_dims=16", "d_dims=16", "d_mask_dims=16", "batch_size=2", "fuse_update=n")
TINY_DF = (*TINY, "archi=df")


@pytest.fixture(autouse=True)
def take_defaults(monkeypatch):
    """As ``--yes``: no question waits for an answer."""
    monkeypatch.setitem(interact._state, "assume_yes", True)


def train(facesets, model_dir, iterations, *options, model="SAEHD", name="t", extra=()):
    """A run in this process; returns the state that it has saved."""
    source, destination = facesets
    arguments = ["train", "--training-data-src-dir", source, "--training-data-dst-dir", destination]
    arguments += ["--model-dir", model_dir, "--model", model, "--no-preview", "--keep-priority", "--cpu-only", "--yes"]
    arguments += ["--force-model-name", name, "--target-iter", iterations, *extra]
    arguments += [word for option in options for word in ("--set", option)]
    flags = build_parser().parse_args([str(word) for word in arguments])
    assert TrainingSession(request_of(flags)).run() == 0
    prefix = "XSeg" if model == "XSeg" else f"{name}_{model}"
    return read_model_data(model_dir / f"{prefix}_data.dat")


def weights(model_dir, prefix="t_SAEHD"):
    return {path.name: read_weights(path) for path in sorted(model_dir.glob(f"{prefix}_*.npy"))}


def assert_same_weights(one, other):
    assert list(one) == list(other)
    for name in one:
        for key in one[name]:
            np.testing.assert_array_equal(one[name][key], other[name][key], err_msg=f"{name} {key}")


def test_first_run_writes_the_files_of_a_model(facesets, tmp_path, capsys):
    state = train(facesets, tmp_path, 1, *TINY_DF, "gan_power=0.1", "true_face_power=0.01")
    stems = ("encoder", "inter", "decoder_src", "decoder_dst", "src_dst_opt", "code_discriminator", "D_code_opt")
    wanted = {f"t_SAEHD_{stem}.npy" for stem in (*stems, "GAN", "GAN_opt")}
    wanted |= {"t_SAEHD_data.dat", "t_SAEHD_summary.txt", "SAEHD_default_options.dat", "t_SAEHD_preview.jpg"}
    assert wanted | {"t_SAEHD.lock"} == {path.name for path in tmp_path.iterdir()}
    assert state.iteration == 1 and len(state.loss_history) == 1 and len(state.sample_for_preview) == 2
    assert read_default_options(tmp_path / "SAEHD_default_options.dat")["resolution"] == 64
    assert b"numpy._core" not in (tmp_path / "t_SAEHD_data.dat").read_bytes()
    summary = (tmp_path / "t_SAEHD_summary.txt").read_text()
    assert "Current iteration: 1" in summary and "gan_power: 0.1" in summary and "Using device: CPU" in summary
    shown = capsys.readouterr().out
    assert summary.replace("iteration: 1", "iteration: 0") in shown, "the same table, before anything is trained"


def test_consent_on_record_is_told_of_both_sides_before_anything_is_trained(facesets, tmp_path, capsys):
    source = shutil.copytree(facesets[0], tmp_path / "data_src" / "aligned")
    destination = shutil.copytree(facesets[1], tmp_path / "data_dst" / "aligned")
    record = {"subject": "Ada L.", "basis": "signed agreement", "scope": "short film", "date": "2026-03-01"}
    (source.parent / "consent.json").write_text(json.dumps(record))
    arguments = ["train", "--training-data-src-dir", source, "--training-data-dst-dir", destination]
    arguments += [
        "--model-dir",
        tmp_path / "model",
        "--model",
        "SAEHD",
        "--cpu-only",
        "--force-model-name",
        "t",
        "--yes",
    ]
    flags = build_parser().parse_args([*map(str, arguments), "--dump-options", str(tmp_path / "options.yaml")])
    assert TrainingSession(request_of(flags)).run() == 0
    told = capsys.readouterr().out
    assert f"data_src: consent of Ada L. (signed agreement; short film; 2026-03-01), {source.parent}" in told
    assert "data_dst: no consent.json, so it is not on record whether this person agreed." in told
    assert told.index("consent") < told.index("Model first run.")


def test_stop_and_resume_equals_an_uninterrupted_run(facesets, tmp_path):
    options = (*TINY, "archi=liae", "random_hsv_power=0.1", "lr_dropout=y", "uniform_yaw=y", "random_src_flip=y")
    whole = train(facesets, tmp_path / "whole", 4, *options, extra=("--seed", "5"))
    train(facesets, tmp_path / "parts", 2, *options, extra=("--seed", "5"))
    parts = train(facesets, tmp_path / "parts", 4, extra=("--seed", "5"))
    assert parts.loss_history == whole.loss_history
    assert_same_weights(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    other = train(facesets, tmp_path / "other", 1, *options, extra=("--seed", "6"))
    assert other.loss_history[0] != whole.loss_history[0]


def test_when_memory_does_not_suffice_the_run_ends_with_what_to_lower(facesets, tmp_path, monkeypatch):
    """Whatever TensorFlow calls it; any other error stays what it is."""
    import tensorflow as tf

    from models.saehd.model import Saehd

    errors = [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        tf.errors.InternalError(None, None, "Failed to allocate 9 GB"),
        MemoryError(),
    ]
    for error in errors:
        monkeypatch.setattr(Saehd, "train_one_iteration", lambda self, batch, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(UserError, match=r"Not enough memory. Lower, in this order: batch_size \(now 2\); .*e_dims"):
            train(facesets, tmp_path, 1, *TINY_DF)
    other = tf.errors.InternalError(None, None, "a kernel is missing")
    monkeypatch.setattr(Saehd, "train_one_iteration", lambda self, batch: (_ for _ in ()).throw(other))
    with pytest.raises(tf.errors.InternalError, match="a kernel is missing"):
        train(facesets, tmp_path, 1, *TINY_DF)
    assert not (tmp_path / "t_SAEHD_data.dat").exists()


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("SAEHD", (*TINY, "archi=liae-ud", "gan_power=0.1", "lr_dropout=y")),
        ("AMP", (*TINY, "inter_dims=32")),
        ("Quick96", ("batch_size=2",)),
        ("XSeg", ("batch_size=2",)),
    ],
)
def test_a_run_traces_each_function_once(tmp_path, monkeypatch, model, options):
    """A step that is traced again costs seconds; previews, history, held-out scores and saves must not cause one."""
    made, batches = [], []
    build, step = TrainableModel.__init__, TrainableModel.train_one_iteration

    def noting(self, *words, **named):
        build(self, *words, **named)
        made.append(self)

    def stepping(self, batch):
        batches.append({name: batch[name] for name in self.input_names()})
        return step(self, batch)

    monkeypatch.setattr(TrainableModel, "__init__", noting)
    monkeypatch.setattr(TrainableModel, "train_one_iteration", stepping)
    sides = [
        make_faceset(tmp_path / side, 8, labelled=model == "XSeg", hue=hue) for side, hue in (("s", 0), ("d", 110))
    ]
    extra = ("--notebook", "--save-every", 2, *(() if model == "XSeg" else ("--holdout", 3)))
    history = () if model in ("Quick96", "XSeg") else ("write_preview_history=y",)
    train(sides, tmp_path / "model", 5, *options, *history, model=model, extra=extra)
    [network] = made
    counts = {
        name: getattr(network, name).experimental_get_tracing_count()
        for name in ("_train_function", "_predict_function", "_preview_function")
    }
    assert counts["_train_function"] == 1 and max(counts.values()) == 1, counts
    assert_stays_on_the_device(network, batches[-1])


def assert_stays_on_the_device(network, batch):
    """A step takes each array of the batch once, as bytes, gives back the losses alone, and asks the host for nothing."""
    import tensorflow as tf

    traced = network._train_function.get_concrete_function({n: tf.convert_to_tensor(v) for n, v in batch.items()})
    pictures = [value for value in batch.values() if np.ndim(value) == 4]
    assert pictures and all(value.dtype == np.uint8 for value in pictures)
    assert len(traced.inputs) - len(traced.captured_inputs) == len(batch)
    assert [output.shape.rank for output in traced.outputs] == [2]
    graph = traced.graph.as_graph_def()
    kinds = {node.op for node in graph.node} | {node.op for each in graph.library.function for node in each.node_def}
    asks_host = {
        "PyFunc",
        "PyFuncStateless",
        "EagerPyFunc",
        "PrintV2",
        "Print",
        "Assert",
        "Unique",
        "Where",
        "StringFormat",
    }
    assert not kinds & asks_host


def test_a_snapshot_is_not_changed_by_later_training(facesets, tmp_path):
    train(facesets, tmp_path, 1, *TINY_DF)
    saved = SavedModel(tmp_path, "SAEHD", "t")
    saved.load_state()
    saved.build(training=True)
    snapshot = saved.snapshot()
    random = np.random.default_rng(0)
    names = saved.network.input_names()
    batch = {
        name: random.integers(0, 256, (2, 64, 64, 1 if "m" in name.split("_")[1][3:] else 3), np.uint8)
        for name in names
    }
    for _ in range(2):
        saved.network.train_one_iteration(batch)
    for name in ("encoder", "src_dst_opt", "decoder_dst"):
        assert b"".join(snapshot[f"t_SAEHD_{name}.npy"]()) == (tmp_path / f"t_SAEHD_{name}.npy").read_bytes()
    assert b"".join(saved.snapshot()["t_SAEHD_encoder.npy"]()) != (tmp_path / "t_SAEHD_encoder.npy").read_bytes()
    next(iter(saved.network.optimizers["src_dst_opt"].named_slots().values())).assign_add(
        np.full(saved.network.networks["encoder"].down1.downs[0].conv1.weight.shape, np.nan, np.float32)
    )
    with pytest.raises(NonFiniteWeights, match="t_SAEHD_src_dst_opt.npy"):
        saved.snapshot()["t_SAEHD_src_dst_opt.npy"]()


@pytest.mark.slow
def test_amp_resumes_alike(facesets, tmp_path):
    options = (*TINY, "inter_dims=32")
    whole = train(facesets, tmp_path / "whole", 3, *options, model="AMP", extra=("--seed", "5"))
    train(facesets, tmp_path / "parts", 1, *options, model="AMP", extra=("--seed", "5"))
    parts = train(facesets, tmp_path / "parts", 3, model="AMP", extra=("--seed", "5"))
    assert parts.loss_history == whole.loss_history


def test_unknown_keys_survive_and_options_change_on_a_later_run(facesets, tmp_path, capsys):
    train(facesets, tmp_path, 1, *TINY_DF)
    state = train(facesets, tmp_path, 2, "gan_power=0.1", "random_warp=n")
    assert state.iteration == 2 and state.options["gan_power"] == 0.1 and state.options["random_warp"] is False
    assert "GAN: starts with new weights." in capsys.readouterr().out
    before = read_weights(tmp_path / "t_SAEHD_GAN.npy")
    state = train(facesets, tmp_path, 3, "gan_dims=8")
    after = read_weights(tmp_path / "t_SAEHD_GAN.npy")
    assert "The discriminator (GAN) starts with new weights" in capsys.readouterr().out
    assert before["in_conv/weight:0"].shape != after["in_conv/weight:0"].shape
    with pytest.raises(UsageError, match="resolution is fixed"):
        train(facesets, tmp_path, 4, "resolution=128")


def test_end_of_pretraining_resets_count_and_inter(facesets, tmp_path, capsys):
    extra = ("--pretraining-data-dir", facesets[1])
    train(facesets, tmp_path, 3, *TINY_DF, "pretrain=y", extra=extra)
    assert "lr_dropout: n" in (tmp_path / "t_SAEHD_summary.txt").read_text()
    before = weights(tmp_path)
    state = train(facesets, tmp_path, 1, "pretrain=n", extra=extra)
    after = weights(tmp_path)
    assert state.iteration == 1 and len(state.loss_history) == 1
    assert "iterations count from 0 again" in capsys.readouterr().out

    def change(name, key):
        return np.abs(before[f"t_SAEHD_{name}.npy"][key] - after[f"t_SAEHD_{name}.npy"][key]).max()

    assert change("inter", "dense1/weight:0") > 0.01
    assert change("encoder", "down1/downs_0/conv1/weight:0") < 0.001
    with pytest.raises(UsageError, match="--pretraining-data-dir"):
        train(facesets, tmp_path / "x", 1, *TINY_DF, "pretrain=y")


def test_missing_and_damaged_weight_files_stop_the_run(facesets, tmp_path):
    train(facesets, tmp_path, 1, *TINY_DF)
    path = tmp_path / "t_SAEHD_encoder.npy"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="t_SAEHD_encoder.npy"):
        train(facesets, tmp_path, 2)
    assert path.read_bytes() == content[: len(content) // 2]
    path.unlink()
    with pytest.raises(UserError, match="t_SAEHD_encoder.npy: no such file"):
        train(facesets, tmp_path, 2)
    assert read_model_data(tmp_path / "t_SAEHD_data.dat").iteration == 1


@pytest.mark.parametrize("folder", ["model", pytest.param("model_rmsprop", marks=pytest.mark.slow)])
def test_a_folder_of_deepfacelab_resumes(facesets, tmp_path, folder):
    """The kit's folders hold the state and some of the files; the rest starts anew, as the flag tells."""
    kit = ROOT / "tests/golden/formats"
    source = kit / folder
    shutil.copytree(kit / "model", tmp_path / "m")
    if folder != "model":
        shutil.copytree(source, tmp_path / "m", dirs_exist_ok=True)
    state_before = read_model_data(tmp_path / "m/golden_SAEHD_data.dat")
    goal = state_before.iteration + 1
    extra = ("--replace-missing-weights",)
    state = train(facesets, tmp_path / "m", goal, "fuse_update=n", name="golden", extra=extra)
    assert state.iteration == goal
    assert state.loss_history[:-1] == state_before.loss_history
    changed = {key: value for key, value in state.options.items() if state_before.options.get(key) != value}
    assert set(changed) <= {"target_iter", "lr_dropout", "fuse_update"}


def test_three_faces_and_one_are_enough(facesets, tmp_path):
    few = make_faceset(tmp_path / "few", 3)
    one = make_faceset(tmp_path / "one", 1)
    state = train((few, one), tmp_path / "m", 2, *TINY_DF, "uniform_yaw=y", "ct_mode=rct")
    assert state.iteration == 2


def test_side_faces_mixed_sizes_and_debug_images(facesets, tmp_path, capsys):
    side = tmp_path / "side"
    side.mkdir()
    for number, size in enumerate((64, 96, 128, 160)):
        write_face(side / f"{number}.jpg", number, 30, size=size, yaw=1.1 + 0.05 * number)
    shutil.copy(side / "0.jpg", side / "x_debug.png")
    (side / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    import cv2

    cv2.imwrite(str(side / "0_debug.jpg"), np.zeros((64, 64, 3), np.uint8))
    state = train((side, facesets[1]), tmp_path / "m", 2, *TINY_DF, "uniform_yaw=y")
    assert state.iteration == 2 and np.isfinite(state.loss_history).all()
    assert "0_debug.jpg is not a dfl image file" in capsys.readouterr().err.lower()


def test_empty_facesets_are_an_error(facesets, tmp_path):
    with pytest.raises(NothingToDo, match="No training data provided.*empty"):
        train((tmp_path / "empty", facesets[1]), tmp_path / "m", 1, *TINY_DF)
    with pytest.raises(NothingToDo, match="No segmented faces found"):
        train(facesets, tmp_path / "m", 1, model="XSeg")


def test_a_smaller_face_type_is_warned_about(facesets, capsys):
    options = effective_options("SAEHD", {"resolution": 64, "batch_size": 1, "face_type": "head"})
    SwapData(options, DataSettings(*facesets)).close()
    assert "8 of 8 faces are of a smaller type (whole_face) than the model's head" in capsys.readouterr().err


@pytest.mark.slow
def test_quick96_takes_ready_weights_without_prefix(facesets, tmp_path):
    train(facesets, tmp_path / "a", 1, "batch_size=1", "fuse_update=n", model="Quick96")
    ready = tmp_path / "ready"
    ready.mkdir()
    for path in (tmp_path / "a").glob("t_Quick96_*.npy"):
        shutil.copy(path, ready / path.name.removeprefix("t_Quick96_"))
    extra = ("--pretrained-model-dir", ready)
    train(facesets, tmp_path / "b", 1, "batch_size=1", "fuse_update=n", model="Quick96", extra=extra)
    key = "down1/downs_0/conv1/weight:0"
    first = read_weights(tmp_path / "a/t_Quick96_encoder.npy")[key]
    second = read_weights(tmp_path / "b/t_Quick96_encoder.npy")[key]
    assert np.abs(first - second).max() < 0.002
    model = open_for_inference(tmp_path / "b", "Quick96", "t")
    face, mask, destination_mask = model.predict(np.zeros((1, 96, 96, 3), np.float32))
    assert face.shape == (1, 96, 96, 3) and mask.shape == destination_mask.shape == (1, 96, 96, 1)
    assert model.resolution == 96 and model.face_type.text == "full_face" and model.iteration == 1


def test_inference_needs_a_trained_model(facesets, tmp_path):
    with pytest.raises(NothingToDo, match="no saved SAEHD model"):
        open_for_inference(tmp_path, "SAEHD", "t")
    train(facesets, tmp_path, 1, *TINY_DF, "pretrain=y", extra=("--pretraining-data-dir", facesets[0]))
    assert open_for_inference(tmp_path, "SAEHD", "t").options["pretrain"] is True
    (tmp_path / "t_SAEHD_inter.npy").unlink()
    with pytest.raises(UserError, match="t_SAEHD_inter.npy: no such file"):
        open_for_inference(tmp_path, "SAEHD", "t")


@pytest.mark.parametrize(
    ("model", "quantized"),
    [
        ("SAEHD", False),
        pytest.param("SAEHD", True, marks=pytest.mark.slow),
        pytest.param("AMP", False, marks=pytest.mark.slow),
    ],
)
def test_export_is_readable_by_position_and_name(facesets, tmp_path, model, quantized):
    onnx = pytest.importorskip("onnx")
    from models.export import export_model

    options = (*TINY, "archi=liae-ud") if model == "SAEHD" else (*TINY, "inter_dims=32")
    train(facesets, tmp_path, 1, *options, model=model)
    exported = export_model(open_trained(tmp_path, model, "t"), quantized)
    assert exported.path.name == f"t_{model}_model.dfm"
    assert exported.difference < (3e-2 if quantized else 1e-4)
    proto = onnx.load(exported.path)

    def described(tensors):
        return [
            (tensor.name, [size.dim_param or size.dim_value for size in tensor.type.tensor_type.shape.dim])
            for tensor in tensors
        ]

    inputs = [("in_face:0", ["N", 64, 64, 3])] + ([("morph_value:0", [1])] if model == "AMP" else [])
    assert described(proto.graph.input) == inputs
    assert described(proto.graph.output) == [
        ("out_face_mask:0", ["N", 64, 64, 1]),
        ("out_celeb_face:0", ["N", 64, 64, 3]),
        ("out_celeb_face_mask:0", ["N", 64, 64, 1]),
    ]
    assert proto.opset_import[0].version == 12 and proto.ir_version == 7 and proto.graph.name == model
    half = sum(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in proto.graph.initializer)
    assert (half > 10) == quantized
    if quantized:
        dense = [tensor for tensor in proto.graph.initializer if len(tensor.dims) == 2]
        assert dense and all(tensor.data_type == onnx.TensorProto.FLOAT for tensor in dense)


def test_command_line_from_start_to_export(facesets, tmp_path):
    """The real program without a terminal: train, dump options, two trainers, export."""

    def run(*words):
        command = [sys.executable, str(ROOT / "main.py"), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)

    data = ["--training-data-src-dir", facesets[0], "--training-data-dst-dir", facesets[1], "--model-dir", tmp_path]
    common = ["train", *data, "--model", "SAEHD", "--force-model-name", "demo", "--no-preview", "--keep-priority"]
    sets = [word for option in TINY_DF for word in ("--set", option)]
    result = run(*common, *sets, "--set", "target_iter=2", "--holdout", 2, "--tensorboard", tmp_path / "tb")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.rstrip().endswith("Done.") and "Held-out faces: dssim src" in result.stdout
    assert "Current iteration: 0" in result.stdout and "[#000001]" in result.stdout
    assert list((tmp_path / "tb/demo_SAEHD").iterdir())
    assert len(read_model_data(tmp_path / "demo_SAEHD_data.dat").extra["holdout_scores"]) >= 1
    wrong = run(*common, "--set", "resolution=1")
    assert wrong.returncode == 2 and "outside 64 to 640" in wrong.stderr and "Traceback" not in wrong.stderr
    exported = run(
        "exportdfm", "--keep-priority", "--model-dir", tmp_path, "--model", "SAEHD", "--force-model-name", "demo"
    )
    assert exported.returncode == 0, exported.stdout + exported.stderr
    assert (tmp_path / "demo_SAEHD_model.dfm").exists()
    unknown = run(
        "exportdfm", "--keep-priority", "--model-dir", tmp_path, "--model", "SAEHD", "--force-model-name", "nobody"
    )
    assert unknown.returncode == 1 and "no SAEHD model named 'nobody'" in unknown.stderr
