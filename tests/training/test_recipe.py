"""Recipes: reading, exit rules, the right phase after a restart."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import FormatError, UsageError
from models.registry import kind
from models.saved.model_files import ModelData
from models.training.recipe import EXTRA_KEY, Phase, RecipeRunner, phase_is_over, read_recipe, resume_phase
from models.training.trainer import STOP

RECIPES = sorted((Path(__file__).parents[2] / "docs/recipes").glob("*.yaml"))


def write(folder, text):
    path = folder / "r.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_ready_recipes_are_valid(path):
    recipe = read_recipe("SAEHD", path)
    assert len(recipe.phases) >= 4
    assert all(phase.iterations or phase.hours or phase.plateau_saves for phase in recipe.phases)
    last = recipe.options_up_to(len(recipe.phases) - 1)
    assert last["random_warp"] is False


# The steps of the guide. What is on in each; all other switches are off.
STEPS = (
    ("1 pretraining", {"pretrain", "random_warp"}),
    ("2 expressions", {"random_warp"}),
    ("3 eyes and mouth", {"random_warp", "eyes_mouth_prio"}),
    ("4 side faces", {"random_warp", "uniform_yaw"}),
    ("5 learning rate dropout", {"random_warp", "uniform_yaw", "lr_dropout"}),
    ("6 no warp", set()),
    ("7 colours", {"random_hsv_power"}),
    ("8 eyes and mouth again", {"random_hsv_power", "eyes_mouth_prio"}),
    ("9 side faces again", {"random_hsv_power", "uniform_yaw"}),
    ("10 learning rate dropout again", {"random_hsv_power", "uniform_yaw", "lr_dropout"}),
    ("11 GAN", {"random_hsv_power", "lr_dropout", "gan_power"}),
)
OFF = {
    "pretrain": False, "random_warp": False, "eyes_mouth_prio": False, "uniform_yaw": False, "lr_dropout": "n",
    "random_hsv_power": 0.0, "gan_power": 0.0,
}  # fmt: skip
ON = {
    "pretrain": True, "random_warp": True, "eyes_mouth_prio": True, "uniform_yaw": True, "lr_dropout": "y",
    "random_hsv_power": 0.05, "gan_power": 0.1,
}  # fmt: skip
ALWAYS = {
    "resolution": 224, "face_type": "wf", "archi": "liae-udt", "ae_dims": 512, "e_dims": 64, "d_dims": 64, "batch_size": 8,
    "target_iter": 0, "masked_training": True, "random_src_flip": False, "random_dst_flip": True, "blur_out_mask": False,
    "face_style_power": 0.0, "bg_style_power": 0.0, "ct_mode": "none", "clipgrad": False,
}  # fmt: skip


def test_the_full_recipe_takes_the_eleven_steps():
    """Every switch in every step, whatever the user's earlier model has left as defaults."""
    recipe = read_recipe("SAEHD", next(path for path in RECIPES if path.stem == "saehd_full"))
    assert [phase.name for phase in recipe.phases] == [name for name, _ in STEPS]
    for index, (name, switched_on) in enumerate(STEPS):
        wanted = {**ALWAYS, **OFF, **{key: ON[key] for key in switched_on}}
        if "gan_power" in switched_on:
            wanted |= {"gan_patch_size": 28, "gan_dims": 16}
        assert recipe.options_up_to(index) == wanted, name


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_ready_recipe_states_every_switch_of_training(path):
    recipe = read_recipe("SAEHD", path)
    asked = {option.key for option in kind("SAEHD").options if option.prompt and option.stored and not option.fixed}
    # Not of the workflow: how the run is kept, where it computes, and what only df or GAN needs.
    asked -= {
        "autobackup_hour",
        "write_preview_history",
        "models_opt_on_gpu",
        "adabelief",
        "gan_patch_size",
        "gan_dims",
    }
    for index in range(len(recipe.phases)):
        assert asked - {"true_face_power"} <= set(recipe.options_up_to(index))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phases: []", "a list of phases"),
        ("name: x", "a list of phases"),
        ("phases: [{name: a}]\nextra: 1", "a list of phases"),
        ("model: AMP\nphases: [{name: a}]", "is a recipe for AMP"),
        ("phases: [{name: a, opts: {}}]", "phase 1 may hold"),
        ("phases: [{name: a, until: {days: 1}}]", "until may hold"),
        ("phases: [{name: a, until: {iterations: -1}}]", "must be a positive number"),
        ("phases: [{name: a, until: {plateau: {saves: 0}}}]", "must be a positive number"),
        ("phases: [{name: a, until: {hours: .nan}}]", "not a finite number|must be a positive number|finite"),
        ("phases: [{name: a, until: {hours: .inf}}]", "not a finite number|must be a positive number|finite"),
        ("phases: [{name: a, until: {iterations: 2.5}}]", "must be a positive number without a fraction"),
        ("phases: [{name: a, until: {plateau: {improvement: 1}}}]", "a share below 1"),
        ("phases: [{name: a, options: {resolution: 128}}]", "resolution is fixed"),
        ("phases: [{name: a, options: 3}]", "key: value"),
    ],
)
def test_bad_recipes_are_refused(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read_recipe("SAEHD", write(tmp_path, text))


def test_bad_options_in_a_recipe_name_the_file(tmp_path):
    with pytest.raises(UsageError, match="r.yaml: SAEHD has no option 'gan'"):
        read_recipe("SAEHD", write(tmp_path, "phases: [{name: a, options: {gan: 1}}]"))


def test_exit_rules():
    assert phase_is_over(Phase("a", iterations=10), 9, 0, []) is None
    assert phase_is_over(Phase("a", iterations=10), 10, 0, []) == "10 iterations"
    assert phase_is_over(Phase("a", hours=0.5), 0, 1799, []) is None
    assert phase_is_over(Phase("a", hours=0.5), 0, 1800, []) == "0.5 hours"
    plateau = Phase("a", plateau_saves=3, plateau_improvement=0.01)
    assert phase_is_over(plateau, 0, 0, [0.5, 0.4, 0.3]) is None
    assert phase_is_over(plateau, 0, 0, [0.5, 0.4, 0.3, 0.2]) is None
    assert phase_is_over(plateau, 0, 0, [0.5, 0.2, 0.199, 0.3, 0.25]) == "no better held-out score in 3 saves"
    assert phase_is_over(Phase("a"), 10**9, 10**9, [1.0] * 99) is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_no_better_and_hides_none(bad):
    plateau = Phase("a", plateau_saves=3, plateau_improvement=0.01)
    assert phase_is_over(plateau, 0, 0, [bad, 0.5, 0.4, 0.3, bad]) is None
    assert phase_is_over(plateau, 0, 0, [0.5, bad, 0.3, bad]) is None
    assert phase_is_over(plateau, 0, 0, [0.5, 0.2, bad, 0.3, bad]) == "no better held-out score in 3 saves"
    assert phase_is_over(plateau, 0, 0, [0.5, bad, bad, bad]) == "no better held-out score in 3 saves"
    assert phase_is_over(plateau, 0, 0, [bad] * 4) == "no better held-out score in 3 saves"


@pytest.mark.parametrize("value", ["x", float("nan"), None, [1], True])
def test_what_is_stored_of_a_recipe_may_be_anything(tmp_path, value):
    recipe = read_recipe("SAEHD", write(tmp_path, RECIPE))
    names = ("phase", "started_at", "seconds", "scores_before")
    data = ModelData(iteration=7, extra={EXTRA_KEY: {"name": "two", **dict.fromkeys(names, value)}})
    RecipeRunner(recipe, FakeTrainer(data), None)
    assert data.extra[EXTRA_KEY] == {"name": "two", "phase": 0, "started_at": 7, "seconds": 0.0, "scores_before": 0}


class FakeTrainer:
    watch = SimpleNamespace(is_failing=False)

    def __init__(self, data):
        self.saved = type("S", (), {"data": data})()
        self.sent = []

    def send(self, command):
        self.sent.append(command)


RECIPE = """
name: two
options: {resolution: 64}
phases:
  - {name: a, options: {random_warp: true}, until: {iterations: 3}}
  - {name: b, options: {random_warp: false, gan_power: 0.1}, until: {iterations: 2}}
"""


def test_phases_change_options_and_are_resumed(tmp_path):
    recipe = read_recipe("SAEHD", write(tmp_path, RECIPE))
    data, changes = ModelData(iteration=100), []
    trainer = FakeTrainer(data)
    runner = RecipeRunner(recipe, trainer, lambda trainer, options: changes.append(options))
    for _ in range(4):
        data.iteration += 1
        runner.after_iteration(trainer, (), 0.1)
    assert changes == [{"random_warp": False, "gan_power": 0.1}]
    assert resume_phase(recipe, data.extra[EXTRA_KEY]) == 1
    assert recipe.options_up_to(1) == {"resolution": 64, "random_warp": False, "gan_power": 0.1}
    again = RecipeRunner(recipe, trainer, lambda trainer, options: changes.append(options))
    data.iteration += 1
    again.after_iteration(trainer, (), 0.1)
    assert trainer.sent == [STOP] and len(changes) == 1


def test_another_recipe_starts_at_its_first_phase(tmp_path):
    recipe = read_recipe("SAEHD", write(tmp_path, RECIPE))
    assert resume_phase(recipe, None) == 0
    assert resume_phase(recipe, {"name": "other", "phase": 1}) == 0
    assert resume_phase(recipe, {"name": "two", "phase": 99}) == 1
