"""Settings files of a merge with mistakes, or made to hurt, are refused in one line that names the place."""

import pytest
from hostile_yaml import as_yaml, bomb, trees
from hypothesis import HealthCheck, given, settings

from core.errors import UserError
from merger.settings.config import CHOICES, RANGES, MergeConfig
from merger.settings.settings_file import Settings, read_settings, settings_text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"mode: {bomb()}", "line 1, mode .*more than"),
        ("a: " * 50, "not a readable settings file|more than 3 lists"),
        ("erode_mask_modifier: [1]", "must be a whole number from -400 to 400, not a list"),
        ("erode_mask_modifier: {0: [1]}", "frame 0: erode_mask_modifier must be a whole number.*not a list"),
        ("mode: overlay\nerode_mask_modifier: {x: 1}", "line 2, erode_mask_modifier: keyframes must be numbers"),
        ("erode_mask_modifier: {true: 1}", "keyframes must be numbers"),
        ("erode_mask_modifier: {-1: 1}", "keyframes must be numbers"),
        ("erode_mask_modifier: {}", "keyframes must be numbers"),
        ("erode_mask_modifier: {interpolation: [a], 0: 1}", "interpolation must be linear or hold, not a list"),
        ("erode_mask_modifier: {0: 1, 0: 2}", "the key 0 is there twice"),
        ("erode_mask_modifier: {" + "9" * 5000 + ": 1}", "a number of 5000 characters"),
        ("masked_hist_match: {0: {a: 1}}", "masked_hist_match must be y or n, not a mapping"),
        ("{" + "x" * 1000 + ": 1}", "unknown setting 'x{78}…"),
    ],
)
def test_a_mistake_names_its_place(tmp_path, text, problem):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=problem) as failure:
        read_settings(path)
    assert str(failure.value).count("s.yaml") == 1 and "\n" not in str(failure.value)


def test_what_the_program_writes_for_a_long_film_is_within_the_limits(tmp_path):
    """Four thousand frames, each with settings of its own."""
    configs = [MergeConfig(erode_mask_modifier=number % 300, blur_mask_modifier=number % 7) for number in range(4_000)]
    path = tmp_path / "s.yaml"
    path.write_text(settings_text(configs))
    values, tracks = read_settings(path)
    found = Settings(MergeConfig(**values), tracks)
    assert all(found.at(number) == configs[number] for number in range(0, 4_000, 97))


KEYS = [*CHOICES, *list(RANGES)[:4], "masked_hist_match", "interpolation", "linear", "hold"]


@given(trees(KEYS))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_tree_breaks_a_settings_file(tmp_path, tree):
    path = tmp_path / "s.yaml"
    for content in (tree, *({key: tree} for key in KEYS[:8]), *({key: {0: tree}} for key in KEYS[:8])):
        path.write_bytes(as_yaml(content))
        try:
            values, tracks = read_settings(path)
            Settings(MergeConfig(**values), tracks).at(3)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 1500
