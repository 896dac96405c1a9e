"""The questions of a non-interactive merge."""

from collections.abc import Mapping
from typing import Any

from core.console import interact
from merger.settings.config import COLOR_TRANSFER_MODES, MASK_MODES, MODES, RANGES, SHARPEN_MODES, MergeConfig

_DEFAULT_MODE = 1
_DEFAULT_MASK_MODE = 1
_FULL_HISTOGRAM = 255
_HIGHEST_ASKED_PRE_SHARPEN = 100

_SHARPEN_HELP = "Sharpening brings out detail of the predicted face."
_SUPER_RESOLUTION_HELP = "Adds detail to the predicted face with the super resolution network."
_TWO_PASS_HELP = "Feeds the network's output to the network again, which can improve the likeness."
_PRE_SHARPEN_HELP = "Sharpens the face before it goes to the network, which can improve the result."


def ask_settings(start: MergeConfig, given: Mapping[str, Any]) -> MergeConfig:
    """Ask for all settings of a run that are not ``given``.

    Parameters
    ----------
    start : MergeConfig
        Supplies what is never asked and what the chosen mode does not ask.
    given : mapping
        Settings by name, in stored form; these are not asked.
    """
    values = dict(given)

    def settle(name, ask, needed=True):
        if name not in values and needed:
            values[name] = ask()

    def number(label, name, default=0, high=None, help_text=None):
        low, top = RANGES[name]
        top = high or top
        return lambda: interact.ask_int(label, default, low, top, f"{low}..{top}", help_text)

    settle("mode", lambda: _ask_mode())
    mode = values["mode"]
    coloured = "raw" not in mode
    settle("masked_hist_match", lambda: interact.ask_bool("Masked hist match?", True), mode == "hist-match")
    ask = number("Hist match threshold", "hist_match_threshold", _FULL_HISTOGRAM)
    settle("hist_match_threshold", ask, "hist-match" in mode)
    settle("mask_mode", lambda: _ask_list("Choose mask mode: ", MASK_MODES, _DEFAULT_MASK_MODE))
    settle("erode_mask_modifier", number("Choose erode mask modifier", "erode_mask_modifier"), coloured)
    settle("blur_mask_modifier", number("Choose blur mask modifier", "blur_mask_modifier"), coloured)
    settle("motion_blur_power", number("Choose motion blur power", "motion_blur_power"), coloured)
    settle("two_pass_mode", lambda: 2 if interact.ask_bool("Use two pass mode?", False, _TWO_PASS_HELP) else 0)
    ask = number("Choose pre_sharpen power", "pre_sharpen_power", 0, _HIGHEST_ASKED_PRE_SHARPEN, _PRE_SHARPEN_HELP)
    settle("pre_sharpen_power", ask)
    settle("output_face_scale", number("Choose output face scale modifier", "output_face_scale"))
    settle("color_transfer_mode", _ask_color_transfer, coloured)
    settle("sharpen_mode", lambda: _ask_list("Choose sharpen mode: ", SHARPEN_MODES, 0, _SHARPEN_HELP))
    ask = number("Choose blur/sharpen amount", "blursharpen_amount")
    settle("blursharpen_amount", ask, values["sharpen_mode"] != 0)
    ask = number("Choose super resolution power", "super_resolution_power", help_text=_SUPER_RESOLUTION_HELP)
    settle("super_resolution_power", ask)
    settle("image_denoise_power", number("Choose image degrade by denoise power", "image_denoise_power"), coloured)
    ask = number("Choose image degrade by bicubic rescale power", "bicubic_degrade_power")
    settle("bicubic_degrade_power", ask, coloured)
    settle("color_degrade_power", number("Degrade color power of final image", "color_degrade_power"), coloured)
    interact.info()
    return start.replace(**values)


def _ask_mode():
    _print_list("Choose mode: ", MODES)
    return MODES[_ask_index(MODES, _DEFAULT_MODE)]


def _ask_list(heading, names, default, help_text=None):
    _print_list(heading, names)
    return _ask_index(names, default, help_text)


def _ask_index(names, default, help_text=None):
    """Number of a list. An unknown one is asked again; without a terminal the default is taken, and that is said."""
    return interact.ask_int("", default, help_text=help_text, allowed=range(len(names)))


def _print_list(heading, names):
    interact.info(heading)
    for number, name in enumerate(names):
        interact.info(f"({number}) {name}")


def _ask_color_transfer():
    choices = COLOR_TRANSFER_MODES[1:]
    answer = interact.ask_text("Color transfer to predicted face", None, choices)
    return COLOR_TRANSFER_MODES.index(answer) if answer else 0
