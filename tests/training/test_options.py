"""Option tables against the recorded prompts of DeepFaceLab, and values by question, flag and file."""

import json
from pathlib import Path

import pytest

from core.console import interact
from core.errors import FormatError, UsageError
from models.option_values import (
    ask_options,
    check_value,
    dump_options,
    from_model_file,
    parse_assignments,
    read_options_file,
)
from models.options import Context
from models.registry import KINDS, NAMES, effective_options, kind, option_table
from models.saehd.options import is_architecture
from models.training.recipe import read_recipe

RECORDS = json.loads((Path(__file__).parents[1] / "golden/training/options.json").read_text(encoding="utf-8"))
TYPES = {"int": int, "float": float, "bool": bool, "str": str}
GPU = Context(1, 8 * 2**30)


@pytest.fixture
def answers(monkeypatch):
    """Let questions be answered from a dict ``{beginning of the label: text}``; keeps the prompts shown."""
    given, prompts = {}, []

    def ask(prompt, default, parse, expected, help_text, echo=True):
        prompts.append(prompt)
        for label, text in given.items():
            if label in prompt:
                return default if text == "" else parse(text)
        return default

    monkeypatch.setattr(interact, "_ask", ask)
    return given, prompts


def ask_all(class_name, first_run=True, override=False, current=None, given=None, file_defaults=None, context=None):
    return ask_options(
        class_name, current or {}, file_defaults or {}, given or {}, context or Context(), first_run, override
    )


@pytest.mark.parametrize("class_name", sorted(RECORDS))
def test_tables_hold_every_recorded_option(class_name):
    table = option_table(class_name)
    for record in RECORDS[class_name]:
        key = record["key"]
        if key == "use_fp16":
            continue  # asked by exportdfm alone
        if record["prompt"] is None and key in kind(class_name).constants:
            wanted = record["default"]
            if not isinstance(wanted, str) or key in ("face_type", "archi", "lr_dropout"):
                assert kind(class_name).constants[key] == wanted
            continue
        option = table[key]
        assert option.prompt == record["prompt"]
        assert option.kind is TYPES[record["type"]]
        assert option.help == record["help"] or key in ("resolution", "batch_size")
        if option.prompt:
            assert (option.fixed, option.stored, option.has_help) == (
                record["fixed"],
                record["stored"],
                record["has_help"],
            )
            assert option.info == record["info"]
            assert option.choices == (tuple(record["choices"]) if record["choices"] else None)
            if record["range"]:
                assert [option.low, option.high] == record["range"]
        if not isinstance(record["default"], str) or record["type"] == "str":
            assert option.default == record["default"]


@pytest.mark.parametrize("class_name", ["SAEHD", "AMP", "XSeg"])
def test_questions_come_in_the_recorded_order_with_the_recorded_text(class_name, answers):
    given, prompts = answers
    given.update({"Write preview": "y", "GAN power": "0.1", "Face type": "", "AE arch": "df"})
    if class_name != "XSeg":
        given["Face type"] = "wf"
    ask_all(class_name)
    wanted = [
        record["prompt"]
        for record in RECORDS[class_name]
        if record["prompt"] and record["key"] not in ("use_fp16", "restart_training")
    ]
    shown = [prompt.split("] ", 1)[1].split(" (")[0].removesuffix(" : ") for prompt in prompts]
    assert shown == wanted


@pytest.mark.parametrize(
    ("answer", "prompt"),
    [
        ("Resolution", "[128] Resolution ( 64-640 ?:help ) : "),
        ("GAN power", "[0.0] GAN power ( 0.0 .. 5.0 ?:help ) : "),
        ("Write preview", "[n] Write preview history ( y/n ?:help ) : "),
        ("Face type", "[f] Face type ( h/mf/f/wf/head ?:help ) : "),
        ("Target", "[0] Target iteration : "),
        ("AE arch", "[liae-ud] AE architecture ( ?:help ) : "),
    ],
)
def test_prompt_layout(answer, prompt, answers):
    _, prompts = answers
    ask_all("SAEHD")
    assert prompt in prompts


def test_defaults_of_a_first_run_without_answers(answers):
    options = ask_all("SAEHD", context=GPU)
    assert options["batch_size"] == 8
    assert options["resolution"] == 128 and options["archi"] == "liae-ud" and options["d_mask_dims"] == 22
    assert options["masked_training"] is True and options["true_face_power"] == 0.0
    assert ask_all("SAEHD")["batch_size"] == ask_all("SAEHD", context=Context(2, 4 * 2**30 - 1))["batch_size"] == 4
    assert ask_all("SAEHD", context=Context(1, 4 * 2**30))["batch_size"] == 8
    assert "warp_version" not in options and "precision" not in options
    assert ask_all("Quick96") == {"batch_size": 4}
    assert ask_all("XSeg") == {"face_type": "wf", "batch_size": 4, "pretrain": False}


@pytest.mark.parametrize(
    ("archi", "typed", "wanted"),
    [("df", "150", 144), ("df-d", "150", 128), ("liae-t", "176", 160), ("df", "9999", 640), ("df-ud", "1", 64)],
)
def test_resolution_is_rounded_for_the_architecture(archi, typed, wanted, answers):
    given, _ = answers
    given.update({"Resolution": typed, "AE arch": archi})
    assert ask_all("SAEHD")["resolution"] == wanted


def test_mask_dimensions_follow_the_typed_decoder_dimensions(answers):
    given, _ = answers
    given["Decoder dimensions"] = "97"
    options = ask_all("SAEHD")
    assert options["d_dims"] == 98 and options["d_mask_dims"] == 32


def test_masked_training_of_small_face_types_ignores_the_default_file(answers):
    assert ask_all("SAEHD", file_defaults={"masked_training": False})["masked_training"] is True
    given, _ = answers
    given["Face type"] = "wf"
    assert ask_all("SAEHD", file_defaults={"masked_training": False})["masked_training"] is False


@pytest.mark.parametrize(
    ("face_type", "offered"), [("h", False), ("mf", False), ("f", False), ("wf", True), ("head", True)]
)
def test_masked_training_is_offered_for_whole_faces_and_heads_alone(face_type, offered, answers):
    given, prompts = answers
    given.update({"Face type": face_type, "Masked training": "n"})
    options = ask_all("SAEHD")
    asked = [prompt for prompt in prompts if "Masked training" in prompt]
    assert asked == (["[y] Masked training ( y/n ?:help ) : "] if offered else [])
    assert options["masked_training"] is not offered
    prompts.clear()
    later = ask_all("SAEHD", False, True, {**options, "masked_training": False})
    assert any("Masked training" in prompt for prompt in prompts) == offered
    assert later["masked_training"] is not offered
    assert ask_all("SAEHD", given={"face_type": face_type, "masked_training": False})["masked_training"] is not offered


def test_default_file_supplies_defaults_but_not_the_morph_factor(answers):
    options = ask_all("AMP", file_defaults={"resolution": 160, "morph_factor": 0.2})
    assert options["resolution"] == 160 and options["morph_factor"] == 0.5


def test_later_run_asks_nothing_and_keeps_everything(answers):
    _, prompts = answers
    first = ask_all("SAEHD")
    prompts.clear()
    assert ask_all("SAEHD", False, False, {**first, "of_a_fork": 3}) == {**first, "of_a_fork": 3}
    assert prompts == []


def test_override_asks_the_changeable_ones_only(answers):
    given, prompts = answers
    first = ask_all("SAEHD")
    prompts.clear()
    given["Use learning rate"] = "y"
    options = ask_all("SAEHD", False, True, first)
    assert options == {**first, "lr_dropout": "y"}
    asked = "\n".join(prompts)
    fixed = ("Resolution", "Face type", "AE arch", "dimensions")
    assert not any(text in asked for text in fixed)
    assert "Batch_size" in asked and "GAN patch size" not in asked


def test_given_values_are_not_asked_and_are_rounded(answers):
    _, prompts = answers
    options = ask_all("SAEHD", given=parse_assignments("SAEHD", ["resolution=100", "gan_power=0.1", "e_dims=33"]))
    assert options["resolution"] == 96 and options["e_dims"] == 34 and options["gan_patch_size"] == 12
    assert not any("] Resolution" in prompt or "GAN power" in prompt for prompt in prompts)


def test_fixed_options_cannot_be_changed_later(answers):
    first = ask_all("SAEHD")
    with pytest.raises(UsageError, match="resolution is fixed after the first run: this model has 128"):
        ask_all("SAEHD", False, False, first, {"resolution": 256})
    assert ask_all("SAEHD", False, False, first, {"resolution": 128, "batch_size": 2})["batch_size"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resolution", "expected KEY=VALUE"),
        ("resolutio=128", "no option 'resolutio'"),
        ("resolution=32", "outside 64 to 640"),
        ("resolution=a", "not a whole number"),
        ("batch_size=2.5", "not a whole number"),
        ("gan_power=nan", "not a number"),
        ("face_type=x", "one of h, mf, f, wf, head"),
        ("archi=df-x", "df or liae"),
        ("pretrain=maybe", "not y or n"),
    ],
)
def test_bad_values_are_refused_with_the_reason(text, message):
    with pytest.raises(UsageError, match=message):
        parse_assignments("SAEHD", [text])


def ranged_options():
    """Every option of every class that has a range, with values just outside and just inside of it."""
    for class_name, table in ((each.name, each.options) for each in KINDS):
        for option in table:
            step = 1 if option.kind is int else 1e-9
            least = 1 if option.key == "batch_size" and class_name in ("SAEHD", "AMP") else option.low
            if least is not None:
                yield class_name, option.key, least - step, least
            if option.high is not None:
                yield class_name, option.key, option.high + step, option.high


def test_every_number_has_a_range():
    without = {
        (class_name, option.key)
        for class_name, table in ((each.name, each.options) for each in KINDS)
        for option in table
        if option.kind in (int, float) and option.low is None
    }
    assert not without


@pytest.mark.parametrize(("class_name", "key", "outside", "inside"), ranged_options())
def test_a_given_value_outside_of_its_range_is_refused_by_every_door(tmp_path, class_name, key, outside, inside):
    assert check_value(class_name, key, inside) == inside
    told = f"{key}={outside} is outside"
    with pytest.raises(UsageError, match=told) as refusal:
        parse_assignments(class_name, [f"{key}={outside!r}"])
    assert refusal.value.exit_code == 2
    (tmp_path / "o.yaml").write_text(f"{key}: {outside!r}\n")
    with pytest.raises(UsageError, match=f"o.yaml: {told}"):
        read_options_file(class_name, tmp_path / "o.yaml")
    (tmp_path / "r.yaml").write_text(f"options: {{{key}: {outside!r}}}\nphases: [{{name: a}}]\n")
    with pytest.raises(UsageError, match=f"r.yaml: {told}"):
        read_recipe(class_name, tmp_path / "r.yaml")


@pytest.mark.parametrize(
    "value", [True, "1_6", "١٦", "0x10", float("nan"), float("inf"), 10**400, "1e99", [16], None, "9" * 99]
)
def test_what_is_no_plain_number_is_refused(value):
    with pytest.raises(UsageError, match="batch_size=.* is not a whole number"):
        check_value("SAEHD", "batch_size", value)
    with pytest.raises(UsageError, match="gan_power=.* is not a number"):
        check_value("SAEHD", "gan_power", value)


def test_amp_refuses_given_inter_dimensions_below_those_of_the_autoencoder(answers, capsys):
    for given in ({"inter_dims": 64}, {"ae_dims": 512, "inter_dims": 256}):
        with pytest.raises(UsageError, match=r"inter_dims \(\d+\) must be at least ae_dims \(\d+\)"):
            ask_all("AMP", given=given)
    assert ask_all("AMP", given={"inter_dims": 256})["inter_dims"] == 256
    answers[0]["Inter dimensions"] = "64"
    assert ask_all("AMP")["inter_dims"] == 64  # typed, as DeepFaceLab takes it
    assert "must be at least ae_dims" in capsys.readouterr().err


def test_masks_on_the_cpu_and_a_compiled_step_exclude_each_other(answers):
    with pytest.raises(UsageError, match="lr_dropout=cpu draws its masks on the CPU"):
        ask_all("SAEHD", given={"lr_dropout": "cpu", "compile_step": True})
    assert ask_all("SAEHD", given={"lr_dropout": "cpu"})["lr_dropout"] == "cpu"


@pytest.mark.parametrize("class_name", ["SAEHD", "AMP"])
@pytest.mark.parametrize(("value", "share", "on_cpu"), [("n", 1.0, False), ("y", 0.3, False), ("cpu", 0.3, True)])
def test_learning_rate_dropout_reaches_the_optimizer(class_name, value, share, on_cpu):
    from models.base import network_class

    sizes = dict.fromkeys(("ae_dims", "e_dims", "d_dims", "d_mask_dims", "inter_dims"), 32)
    options = {**effective_options(class_name, {"resolution": 64, "archi": "df", **sizes}), "lr_dropout": value}
    optimizer = network_class(class_name)(options, 1).optimizers["src_dst_opt"]
    assert (optimizer.keep_share, optimizer.masks_on_cpu) == (share, on_cpu)
    assert optimizer.cosine_period == (500 if share < 1 else 0)


def test_a_typed_number_is_clamped_as_deepfacelab_does(answers):
    answers[0].update({"Batch_size": "-3", "Resolution": "20", "GAN power": "9"})
    options = ask_all("SAEHD")
    assert (options["batch_size"], options["resolution"], options["gan_power"]) == (0, 64, 5.0)


def test_a_given_value_without_effect_is_told_of(answers, capsys):
    options = ask_all("SAEHD", given={"true_face_power": 0.1, "masked_training": False, "gan_dims": 32})
    assert options["true_face_power"] == 0.0 and options["masked_training"] is True
    told = capsys.readouterr().err
    assert "true_face_power=0.1 has no effect" in told and "masked_training=False has no effect" in told
    assert options["gan_dims"] == 32  # kept for the time when GAN is on


def test_constants_cannot_be_set():
    with pytest.raises(UsageError, match="constant"):
        check_value("Quick96", "resolution", 128)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("df", True), ("LIAE-UDT", True), ("df-uu", True), ("df-", False), ("dfx", False), ("liae-x", False), ("", False)],
)
def test_architecture_texts(text, fits):
    assert is_architecture(text) is fits


def test_yaml_round_trip_and_errors(tmp_path, answers):
    options = ask_all("SAEHD")
    path = tmp_path / "options.yaml"
    dump_options("SAEHD", options, path)
    options.pop("choose_preview_history")
    assert read_options_file("SAEHD", path) == options
    path.write_text("lr_dropout: y\npretrain: no\ngan_power: 1\n")
    assert read_options_file("SAEHD", path) == {"lr_dropout": "y", "pretrain": False, "gan_power": 1.0}
    path.write_text("a: [")
    with pytest.raises(FormatError):
        read_options_file("SAEHD", path)
    path.write_text("resolution: big")
    with pytest.raises(UsageError, match="options.yaml"):
        read_options_file("SAEHD", path)


def test_options_of_old_files_are_brought_up_to_date():
    import numpy as np

    options = from_model_file("SAEHD", {"lr_dropout": True, "eyes_prio": True, "resolution": np.int64(128), "x": 1})
    assert options == {"lr_dropout": "y", "resolution": 128, "x": 1}
    assert type(options["resolution"]) is int


def test_pretraining_forces_its_values_without_storing_them(answers):
    options = ask_all("SAEHD", given={"pretrain": True, "random_hsv_power": 0.1, "gan_power": 0.5, "lr_dropout": "y"})
    assert options["gan_power"] == 0.5
    effective = effective_options("SAEHD", options)
    forced = {
        "random_warp": False, "random_src_flip": True, "random_dst_flip": True, "random_hsv_power": 0.0, "gan_power": 0.0,
        "lr_dropout": "n", "face_style_power": 0.0, "bg_style_power": 0.0, "uniform_yaw": True, "ct_mode": "none",
        "true_face_power": 0.0,
    }  # fmt: skip
    assert {key: effective[key] for key in forced} == forced


@pytest.mark.parametrize("class_name", NAMES)
def test_every_option_has_a_help_text_and_an_effective_value(class_name):
    effective = effective_options(class_name, {})
    for option in kind(class_name).options:
        assert option.help.endswith(".")
        assert not option.stored or effective[option.key] is not None


def test_the_documentation_page_is_up_to_date():
    from models.option_docs import PAGE, options_markdown

    assert PAGE.read_text(encoding="utf-8") == options_markdown()
