"""Option files and recipes with mistakes, or made to hurt, are refused in one line that names the place."""

import pytest
from hostile_yaml import as_yaml, bomb, trees
from hypothesis import HealthCheck, given, settings

from core.errors import UserError
from models.option_values import parse_assignments, read_options_file
from models.training.recipe import read_recipe


def write(folder, text):
    path = folder / "r.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"resolution: {bomb()}", "r.yaml: line 1, resolution .*more than 50000 values"),
        ("a: 1\nresolution: [128]", "line 2, resolution: expected one value, found a list"),
        ("resolution: {a: 1}", "resolution: expected one value, found a mapping"),
        ("resolution: " + "9" * 5000, "resolution: a number of 5000 characters"),
        ("resolution: 999999999999999999999", "finite and below"),
        ("batch_size: .nan", "no number that can be used"),
        ("resolution: '" + "9" * 5000 + "'", "resolution=9{79}… is not a whole number"),
        ("ae_dims: 64\nae_dims: 128", "the key ae_dims is there twice"),
        ("- 1", "expected lines of the form 'key: value', found a list"),
        ("SAEHD: {resolution: [1]}", "SAEHD > resolution: expected one value"),
        ("5: 1", "has no option '5'"),
        ("{" + "x" * 1000 + ": 1}", "has no option 'x{78}…"),
    ],
)
def test_a_mistake_in_an_options_file(tmp_path, text, problem):
    if text.startswith("a: 1"):
        text = text.replace("a: 1", "batch_size: 1")
    with pytest.raises(UserError, match=problem) as failure:
        read_options_file("SAEHD", write(tmp_path, text))
    assert "\n" not in str(failure.value) and len(str(failure.value)) < 1500


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"phases: [{{name: {bomb()}}}]", "phases > 1 > name .*more than 50000 values"),
        ("phases:\n - {name: [a]}", "line 2, phase 1 > name: expected a text, found a list"),
        ("phases: [5]", "phase 1 may hold"),
        ("phases: [{until: 5}]", "until may hold"),
        (
            "phases: [{}, {until: {iterations: abc}}]",
            "phase 2 > until > iterations: must be a positive number.*not 'abc'",
        ),
        ("phases: [{until: {iterations: 1.5}}]", "without a fraction, not 1.5"),
        ("phases: [{until: {iterations: true}}]", "must be a positive number"),
        ("phases: [{until: {hours: .inf}}]", "no number that can be used"),
        ("phases: [{until: {hours: " + "9" * 5000 + "}}]", "a number of 5000 characters"),
        ("phases: [{until: {plateau: 3}}]", "plateau may hold"),
        ("phases: [{until: {plateau: {saves: 0.5}}}]", "saves: must be a positive number"),
        ("phases: [{until: {plateau: {improvement: x}}}]", "improvement: must be a positive number"),
        ("phases: [{options: {batch_size: [4]}}]", "phase 1 > options > batch_size: expected one value"),
        ("phases: [{options: {resolution: 128}}]", "phase 1 > options: resolution is fixed"),
        ("model: [SAEHD]\nphases: [{}]", "is a recipe for"),
        ("options: 5\nphases: [{}]", "options: expected lines"),
        ("phases: [" + "{}," * 1001 + "]", "1001 phases; at most 1000"),
        ("- 1", "a recipe holds"),
        ("", "a recipe holds"),
    ],
)
def test_a_mistake_in_a_recipe(tmp_path, text, problem):
    with pytest.raises(UserError, match=problem) as failure:
        read_recipe("SAEHD", write(tmp_path, text))
    assert str(failure.value).count("r.yaml") == 1 and "\n" not in str(failure.value)


def test_a_plateau_without_numbers_has_its_defaults(tmp_path):
    recipe = read_recipe(
        "SAEHD", write(tmp_path, "phases: [{until: {plateau: {}}}, {until: {iterations: 5.0}}, {until: ~}]")
    )
    first, second, third = recipe.phases
    assert (first.plateau_saves, first.plateau_improvement) == (5, 0.01) and second.iterations == 5
    assert third.iterations is None and third.name == "phase 3"


KEYS = ["name", "model", "options", "phases", "until", "iterations", "hours", "plateau", "saves", "improvement", "SAEHD",
        "resolution", "batch_size", "archi", "face_type", "lr_dropout", "random_warp", "gan_power"]  # fmt: skip


@given(trees(KEYS))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_tree_breaks_options_and_recipes(tmp_path, tree):
    path = tmp_path / "r.yaml"
    for content in (tree, {"phases": tree}, {"phases": [tree]}, {"phases": [{"until": tree}]}, {"phases": [{"options": tree}]},
                    {"phases": [{"until": {"plateau": tree, "iterations": tree}}]}, {"resolution": tree, "archi": tree}):  # fmt: skip
        path.write_bytes(as_yaml(content))
        for read in (read_options_file, read_recipe):
            try:
                read("SAEHD", path)
            except UserError as error:
                assert "\n" not in str(error) and len(str(error)) < 3000


@given(trees(KEYS))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_set(tree):
    try:
        parse_assignments("SAEHD", [str(tree), f"resolution={tree}", f"archi={tree}", f"gan_power={tree}"])
    except UserError as error:
        assert len(str(error)) < 3000
