"""The settings of a merged frame: ranges, names, keys, and the text that shows them."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from core.errors import UsageError
from core.records.file_value import describe, short

MODES = ("original", "overlay", "hist-match", "seamless", "seamless-hist-match", "raw-rgb", "raw-predict")
MASK_MODES = (
    "full",
    "dst",
    "learned-prd",
    "learned-dst",
    "learned-prd*learned-dst",
    "learned-prd+learned-dst",
    "XSeg-prd",
    "XSeg-dst",
    "XSeg-prd*XSeg-dst",
    "learned-prd*learned-dst*XSeg-prd*XSeg-dst",
)
COLOR_TRANSFER_MODES = ("None", "rct", "lct", "mkl", "mkl-m", "idt", "idt-m", "sot-m", "mix-m")
SHARPEN_MODES = ("None", "box", "gaussian")
TWO_PASS_MODES = ("None", "face", "face+mask")
FACE_TYPES = ("half", "midfull", "full", "whole_face", "head")

CHOICES = {
    "mode": MODES,
    "mask_mode": MASK_MODES,
    "color_transfer_mode": COLOR_TRANSFER_MODES,
    "sharpen_mode": SHARPEN_MODES,
    "two_pass_mode": TWO_PASS_MODES,
}
"""Settings with a fixed list of values. All but ``mode`` are stored as the index into the list."""

RANGES = {
    "hist_match_threshold": (0, 255),
    "erode_mask_modifier": (-400, 400),
    "blur_mask_modifier": (0, 400),
    "motion_blur_power": (0, 100),
    "output_face_scale": (-50, 50),
    "blursharpen_amount": (-100, 100),
    "super_resolution_power": (0, 100),
    "image_denoise_power": (0, 500),
    "bicubic_degrade_power": (0, 100),
    "color_degrade_power": (0, 100),
    "pre_sharpen_power": (0, 200),
    "morph_power": (0, 100),
}
"""Settings that are whole numbers, with their smallest and largest value."""

_LARGE_STEP = 5
_MODE_KEYS = "`123456"
CYCLE_KEYS = {"x": "mask_mode", "c": "color_transfer_mode", "n": "sharpen_mode", "b": "two_pass_mode"}
_STEP_KEYS = {
    "q": ("hist_match_threshold", 1),
    "a": ("hist_match_threshold", -1),
    "w": ("erode_mask_modifier", 1),
    "s": ("erode_mask_modifier", -1),
    "e": ("blur_mask_modifier", 1),
    "d": ("blur_mask_modifier", -1),
    "r": ("motion_blur_power", 1),
    "f": ("motion_blur_power", -1),
    "u": ("output_face_scale", 1),
    "j": ("output_face_scale", -1),
    "y": ("blursharpen_amount", 1),
    "h": ("blursharpen_amount", -1),
    "t": ("super_resolution_power", 1),
    "g": ("super_resolution_power", -1),
    "i": ("image_denoise_power", 1),
    "k": ("image_denoise_power", -1),
    "o": ("bicubic_degrade_power", 1),
    "l": ("bicubic_degrade_power", -1),
    "p": ("color_degrade_power", 1),
    ";": ("color_degrade_power", -1),
}
_FIXED_STEP_KEYS = {
    ":": ("color_degrade_power", -_LARGE_STEP),
    "9": ("pre_sharpen_power", 1),
    "8": ("pre_sharpen_power", -1),
    "(": ("morph_power", 1),
    "*": ("morph_power", -1),
}


@dataclass(frozen=True)
class MergeConfig:
    """How one frame is merged. Numbers out of range are clamped, an unknown ``mode`` becomes ``overlay``.

    Attributes
    ----------
    mode : str
        One of :data:`MODES`.
    mask_mode, color_transfer_mode, sharpen_mode, two_pass_mode : int
        Index into :data:`MASK_MODES`, :data:`COLOR_TRANSFER_MODES`, :data:`SHARPEN_MODES`, :data:`TWO_PASS_MODES`.
    face_type : str
        Face type of the model, one of :data:`FACE_TYPES`; not part of equality.
    is_morphable : bool
        Whether the model has a morph factor (AMP); not part of equality.
    masked_statistics : bool
        Whether colour transfers with a mask count only the pixels inside; not part of equality.
    """

    mode: str = "overlay"
    masked_hist_match: bool = True
    hist_match_threshold: int = 238
    mask_mode: int = 4
    erode_mask_modifier: int = 0
    blur_mask_modifier: int = 0
    motion_blur_power: int = 0
    output_face_scale: int = 0
    color_transfer_mode: int = 1
    sharpen_mode: int = 0
    blursharpen_amount: int = 0
    super_resolution_power: int = 0
    image_denoise_power: int = 0
    bicubic_degrade_power: int = 0
    color_degrade_power: int = 0
    two_pass_mode: int = 0
    pre_sharpen_power: int = 0
    morph_power: int = 100
    face_type: str = field(default="full", compare=False)
    is_morphable: bool = field(default=False, compare=False)
    masked_statistics: bool = field(default=False, compare=False)

    def __post_init__(self):
        if self.mode not in MODES:
            object.__setattr__(self, "mode", "overlay")
        for name, (low, high) in RANGES.items():
            object.__setattr__(self, name, int(min(max(int(getattr(self, name)), low), high)))
        for name, values in CHOICES.items():
            if name != "mode":
                object.__setattr__(self, name, min(max(int(getattr(self, name)), 0), len(values) - 1))
        object.__setattr__(self, "masked_hist_match", bool(self.masked_hist_match))
        if self.face_type not in FACE_TYPES:
            raise UsageError(
                f"face type {self.face_type!r} cannot be merged; it must be one of {', '.join(FACE_TYPES)}"
            )

    @property
    def is_raw(self) -> bool:
        return "raw" in self.mode

    @property
    def is_seamless(self) -> bool:
        return "seamless" in self.mode

    @property
    def color_transfer(self) -> str | None:
        """Name of the colour transfer, or None."""
        return COLOR_TRANSFER_MODES[self.color_transfer_mode] if self.color_transfer_mode else None

    @property
    def uses_xseg(self) -> bool:
        return self.mask_mode >= MASK_MODES.index("XSeg-prd")

    def settings(self) -> dict[str, Any]:
        """The stored settings by name (numbers for all lists but the mode)."""
        return {name: getattr(self, name) for name in SETTING_NAMES}

    def replace(self, **changes) -> "MergeConfig":
        """A copy with some settings changed (and clamped)."""
        return replace(self, **changes)

    def updated(self, stored: dict[str, Any]) -> "MergeConfig":
        """A copy with the settings of a stored dictionary; unknown names are ignored.

        A stored ``pre_sharpen_mode`` of 0 (a field of another program) switches pre-sharpening off.
        """
        known = {name: value for name, value in stored.items() if name in SETTING_NAMES}
        if stored.get("pre_sharpen_mode", 1) == 0:
            known["pre_sharpen_power"] = 0
        return self.replace(**known)

    def after_key(self, character: str, shift: bool = False) -> "MergeConfig":
        """The settings after a key of the interactive merger; the same object if the key changes nothing.

        Parameters
        ----------
        character : str
            Lower-case letter, digit or sign, as translated for the merger's windows.
        shift : bool
            Whether Shift was held: steps of 5.
        """
        changed = self._after_key(character, shift)
        return self if changed == self else changed

    def _after_key(self, character, shift):
        if len(character) != 1:
            return self
        if character in _MODE_KEYS:
            return self.replace(mode=MODES[_MODE_KEYS.index(character)])
        if character == "z":
            return self.replace(masked_hist_match=not self.masked_hist_match) if self.mode == "hist-match" else self
        if character in CYCLE_KEYS:
            name = CYCLE_KEYS[character]
            return self.replace(**{name: (getattr(self, name) + 1) % len(CHOICES[name])})
        if character in _FIXED_STEP_KEYS:
            name, step = _FIXED_STEP_KEYS[character]
            if name == "morph_power" and not self.is_morphable:
                return self
        elif character in _STEP_KEYS:
            name, step = _STEP_KEYS[character]
            step *= _LARGE_STEP if shift else 1
            if name == "hist_match_threshold" and "hist-match" not in self.mode:
                return self
        else:
            return self
        return self.replace(**{name: getattr(self, name) + step})

    def text(self, file_name: str) -> str:
        """The settings as lines for the console."""
        lines = [f"MergerConfig {file_name}:", f"Mode: {self.mode}"]
        if self.mode == "hist-match":
            lines.append(f"masked_hist_match: {self.masked_hist_match}")
        if "hist-match" in self.mode:
            lines.append(f"hist_match_threshold: {self.hist_match_threshold}")
        lines.append(f"mask_mode: {MASK_MODES[self.mask_mode]}")
        if not self.is_raw:
            lines += self._numbers("erode_mask_modifier", "blur_mask_modifier", "motion_blur_power")
        lines += self._numbers("output_face_scale")
        if not self.is_raw:
            lines.append(f"color_transfer_mode: {COLOR_TRANSFER_MODES[self.color_transfer_mode]}")
            lines.append(f"sharpen_mode : {SHARPEN_MODES[self.sharpen_mode]}")
            lines.append(f"blursharpen_amount : {self.blursharpen_amount}")
        lines += self._numbers("super_resolution_power")
        if not self.is_raw:
            lines += self._numbers("image_denoise_power", "bicubic_degrade_power", "color_degrade_power")
        if self.pre_sharpen_power:
            lines += self._numbers("pre_sharpen_power")
        if self.two_pass_mode:
            lines.append(f"two_pass-mode: {TWO_PASS_MODES[self.two_pass_mode]}")
        if self.morph_power != 100:
            lines += self._numbers("morph_power")
        return "\n".join([*lines, "================"])

    def _numbers(self, *names):
        return [f"{name}: {getattr(self, name)}" for name in names]


SETTING_NAMES = tuple(item.name for item in fields(MergeConfig) if item.compare)
"""Names of all settings, in order."""


def parse_value(name: str, value: Any, origin: str = "") -> Any:
    """Check a setting given by flag or file and bring it to its stored form.

    Parameters
    ----------
    name : str
        One of :data:`SETTING_NAMES`.
    value
        Text or number: a name or number of a list, a whole number in range, or a truth value.
    origin : str
        Start of the error message, for example a file name with a colon.

    Raises
    ------
    UsageError
        When the name is unknown or the value cannot be used.
    """
    if name not in SETTING_NAMES:
        raise UsageError(f"{origin}unknown setting {short(name, quoted=True)}; known are {', '.join(SETTING_NAMES)}.")
    if name in CHOICES:
        index = _choice_index(name, value)
        if index is None:
            choices = ", ".join(f"{number} {text}" for number, text in enumerate(CHOICES[name]))
            raise UsageError(f"{origin}{name} cannot be {describe(value)}; possible are {choices}.")
        return MODES[index] if name == "mode" else index
    if name == "masked_hist_match":
        return _truth(name, value, origin)
    low, high = RANGES[name]
    try:
        number = float(value)
        if isinstance(value, bool) or number != int(number) or not low <= number <= high:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"{origin}{name} must be a whole number from {low} to {high}, not {describe(value)}."
        ) from None
    return int(number)


def readable_value(name: str, value: Any) -> Any:
    """A stored setting as it is written to a settings file: lists by name."""
    return CHOICES[name][value] if name in CHOICES and name != "mode" else value


def _choice_index(name, value):
    texts = [text.lower() for text in CHOICES[name]]
    if name == "two_pass_mode" and (isinstance(value, bool) or str(value).strip().lower() in ("y", "n", "yes", "no")):
        return 2 if _truth(name, value, "") else 0
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none")):
        return 0 if "none" in texts else None
    if isinstance(value, str) and value.strip().lower() in texts:
        return texts.index(value.strip().lower())
    try:
        index = int(value)
        if index != float(value):
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    return index if not isinstance(value, bool) and 0 <= index < len(texts) else None


def _truth(name, value, origin):
    if isinstance(value, (bool, int)) and value in (0, 1):
        return bool(value)
    answers = {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}
    if isinstance(value, str) and value.strip().lower() in answers:
        return answers[value.strip().lower()]
    raise UsageError(f"{origin}{name} must be y or n, not {describe(value)}.")
