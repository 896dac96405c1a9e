"""Settings: text, keys, questions and files, against DeepFaceLab's traces."""

import builtins

import pytest
from merge_stubs import read_json

from core.console import interact
from core.errors import FormatError, UsageError
from merger.settings.config import MODES, RANGES, SETTING_NAMES, MergeConfig, parse_value
from merger.settings.questions import ask_settings
from merger.settings.settings_file import Settings, Track, read_settings, settings_text, write_settings

GOLDEN = read_json("config_text.json")


@pytest.mark.parametrize("case", GOLDEN["texts"], ids=lambda case: str(case["cfg"])[:40])
def test_text_equals_golden(case):
    assert MergeConfig(**case["cfg"]).text(case["filename"]) == case["text"]


def test_fork_fields_show_only_when_changed():
    text = MergeConfig(pre_sharpen_power=3, two_pass_mode=2, morph_power=60).text("1.png")
    assert text.endswith("pre_sharpen_power: 3\ntwo_pass-mode: face+mask\nmorph_power: 60\n================")


@pytest.mark.parametrize("case", GOLDEN["keys"], ids=lambda case: case["keys"][:12])
def test_keys_equal_golden(case):
    config = MergeConfig()
    for character in case["keys"]:
        config = config.after_key(character.lower(), character.isupper())
    start = MergeConfig().settings()
    assert {name: value for name, value in config.settings().items() if value != start[name]} == case["changed"]


def test_keys_of_the_fork():
    config = MergeConfig()
    assert config.after_key("b").two_pass_mode == 1
    assert config.after_key("9", shift=True).pre_sharpen_power == 1
    assert config.after_key("9").after_key("8") == config
    assert config.after_key("*") is config
    morphable = MergeConfig(is_morphable=True)
    assert morphable.after_key("*").morph_power == 99 and morphable.after_key("(") is morphable


# Answers that DeepFaceLab took for another value without a word, and that value. Here the question comes again, and is
# answered by it.
TAKEN_FOR = {"300": "255", "-3": "0", "101": "100", "-60": "-50", "-150": "-100", "600": "500", "9": "1", "12": "1"}


@pytest.mark.parametrize("case", GOLDEN["asks"], ids=range(len(GOLDEN["asks"])))
def test_questions_equal_golden(case, monkeypatch):
    pairs = list(zip(case["answers"], case["prompts"], strict=True))
    answers = iter([word for answer, _ in pairs for word in (answer, TAKEN_FOR.get(answer)) if word is not None])
    wanted = [prompt for answer, prompt in pairs for _ in range(1 + (answer in TAKEN_FOR))]
    prompts = []
    monkeypatch.setattr(interact, "_read_line", lambda timeout: next(answers))
    monkeypatch.setattr(interact, "has_terminal", lambda: True)
    monkeypatch.setitem(interact._state, "assume_yes", False)
    write = builtins.print

    def note(*texts, **options):
        if options.get("end") == "":
            prompts.append(texts[0])
        write(*texts, **options)

    monkeypatch.setattr(builtins, "print", note)
    config = ask_settings(MergeConfig(), {"two_pass_mode": 0, "pre_sharpen_power": 0})
    assert prompts == wanted
    got = config.settings()
    assert {name: got[name] for name in case["result"]} == case["result"]


def test_every_setting_given_asks_nothing(monkeypatch):
    monkeypatch.setitem(interact._state, "assume_yes", False)
    monkeypatch.setattr(interact, "_read_line", lambda timeout: pytest.fail("a question was asked"))
    values = MergeConfig(mode="hist-match", sharpen_mode=1).settings()
    assert ask_settings(MergeConfig(), values).settings() == values


def test_numbers_are_clamped_and_unknown_modes_become_overlay():
    for name, (low, high) in RANGES.items():
        assert getattr(MergeConfig(**{name: low - 1000}), name) == low
        assert getattr(MergeConfig(**{name: high + 1000}), name) == high
    assert MergeConfig(mode="nothing").mode == "overlay"
    with pytest.raises(UsageError, match="mark_only"):
        MergeConfig(face_type="mark_only")


def test_face_type_does_not_count_in_comparison():
    assert MergeConfig(face_type="head", is_morphable=True) == MergeConfig()
    assert MergeConfig(morph_power=1) != MergeConfig()


def test_stored_dictionary_ignores_unknown_names():
    config = MergeConfig().updated({"mode": "seamless", "type": 1, "nonsense": 3, "pre_sharpen_power": 9})
    assert (config.mode, config.pre_sharpen_power) == ("seamless", 9)
    assert MergeConfig().updated({"pre_sharpen_power": 9, "pre_sharpen_mode": 0}).pre_sharpen_power == 0


@pytest.mark.parametrize(
    "name, given, stored",
    [
        ("mode", "3", "seamless"),
        ("mode", "Hist-Match", "hist-match"),
        ("mask_mode", "XSeg-prd*XSeg-dst", 8),
        ("color_transfer_mode", "none", 0),
        ("color_transfer_mode", None, 0),
        ("color_transfer_mode", "sot-m", 7),
        ("two_pass_mode", True, 2),
        ("two_pass_mode", "y", 2),
        ("two_pass_mode", "face", 1),
        ("masked_hist_match", "n", False),
        ("erode_mask_modifier", "-400", -400),
    ],
)
def test_values_of_flags_and_files(name, given, stored):
    assert parse_value(name, given) == stored


@pytest.mark.parametrize(
    "name, given",
    [("mode", "7"), ("mode", None), ("mask_mode", "xseg"), ("blur_mask_modifier", "-1"), ("blur_mask_modifier", "1.5"),
     ("masked_hist_match", "maybe"), ("no_such", 1), ("erode_mask_modifier", True), ("erode_mask_modifier", "nan")],
)  # fmt: skip
def test_unusable_values_name_the_setting(name, given):
    with pytest.raises(UsageError, match=name):
        parse_value(name, given)


def test_keyframes_run_or_hold(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(
        "mode: seamless\n"
        "erode_mask_modifier: {0: 10, 10: 30}\n"
        "blur_mask_modifier: {interpolation: hold, 0: 5, 10: 50}\n"
        "color_transfer_mode: {0: rct, 4: none}\n"
    )
    values, tracks = read_settings(path)
    assert values == {"mode": "seamless"}
    settings = Settings(MergeConfig(**values), tracks)
    assert [settings.at(frame).erode_mask_modifier for frame in (0, 5, 10, 99)] == [10, 20, 30, 30]
    assert [settings.at(frame).blur_mask_modifier for frame in (0, 9, 10)] == [5, 5, 50]
    assert [settings.at(frame).color_transfer for frame in (3, 4)] == ["rct", None]
    assert Track((5,), (7,)).at(0) == 7


def test_written_settings_read_back(tmp_path):
    configs = [MergeConfig(), MergeConfig(), MergeConfig(mode="hist-match", mask_mode=9, erode_mask_modifier=-7)]
    path = tmp_path / "settings.yaml"
    write_settings(path, configs, ["a.png", "b.png", "c.png"])
    values, tracks = read_settings(path)
    settings = Settings(MergeConfig().replace(**values), tracks)
    assert [settings.at(frame) for frame in range(3)] == configs
    assert set(values) | set(tracks) == set(SETTING_NAMES)
    assert "hold" in settings_text(configs) and "linear" in settings_text(configs, linear=True)


@pytest.mark.parametrize(
    "text, error",
    [("- 1", FormatError), ("mode: [", FormatError), ("erode_mask_modifier: {a: 1}", FormatError), ("mode: x", UsageError),
     ("erode_mask_modifier: {interpolation: cubic, 0: 1}", FormatError), ("nothing: 1", UsageError)],
)  # fmt: skip
def test_bad_settings_files_are_named(tmp_path, text, error):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(error, match=r"bad\.yaml"):
        read_settings(path)


def test_modes_are_numbered_as_in_dfl():
    assert MODES.index("seamless-hist-match") == 4 and MODES.index("raw-predict") == 6


@pytest.mark.parametrize("name", [name for name in SETTING_NAMES if name in RANGES])
@pytest.mark.parametrize("value", ["nan", "inf", "", "x", None, True, 1.5, [1], {}, 10**30, "below", "above"])
def test_numbers_out_of_range_are_refused_by_flag_and_file(name, value, tmp_path):
    low, high = RANGES[name]
    value = {"below": low - 1, "above": high + 1}.get(value, value) if isinstance(value, str) else value
    with pytest.raises(UsageError, match=f"{name} must be a whole number from {low} to {high}"):
        parse_value(name, value)


@pytest.mark.parametrize("value", [9, "9", -1, 1.7, "1.7", "nan", True, [1], "sot"])
@pytest.mark.parametrize("name", ["mode", "mask_mode", "color_transfer_mode", "sharpen_mode"])
def test_choices_that_do_not_exist_are_refused_with_those_that_do(name, value):
    if (name, str(value)) == ("mask_mode", "9"):
        assert parse_value(name, value) == 9
        return
    with pytest.raises(UsageError, match="possible are 0 "):
        parse_value(name, value)


@pytest.mark.parametrize(
    "question, wrong", [("Choose mode:", 9), ("Choose mask mode:", 12), ("Choose sharpen mode:", -1)]
)
def test_an_answers_file_with_an_unknown_choice_ends_in_a_usage_error(question, wrong, tmp_path):
    path = tmp_path / "answers.yaml"
    path.write_text(f'"{question}": {wrong}\n')
    interact.configure(assume_yes=True, answers=path)
    try:
        with pytest.raises(UsageError, match=f"'{wrong}' is not one of 0, 1, 2"):
            ask_settings(MergeConfig(), {})
    finally:
        interact.configure()


def test_what_is_echoed_for_an_unknown_choice_is_what_is_used(monkeypatch, capsys):
    answers = iter(["9", "12"])
    monkeypatch.setattr(interact, "_read_line", lambda timeout: next(answers, None))
    monkeypatch.setattr(interact, "has_terminal", lambda: False)
    config = ask_settings(MergeConfig(), {})
    told = capsys.readouterr().out
    assert (config.mode, config.mask_mode) == ("overlay", 1)
    assert "'9' is not one of 0, 1, 2, 3, 4, 5, 6; taking '1'." in told
    assert "'12' is not one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; taking '1'." in told
    assert "\n9\n" not in told and "\n12\n" not in told
