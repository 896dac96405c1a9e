"""The settings of a merged frame, one row each, and the checks of what a user gives for them."""

from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import UsageError
from core.records.file_value import describe, short
from merger.settings.setting import Keys, Question, setting, settings_of, starts_of

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


def _is_coloured(config):
    return "raw" not in config.mode


def _matches_histograms(config):
    return "hist-match" in config.mode


def _is_plain_histogram_match(config):
    return config.mode == "hist-match"


def _is_morphable(config):
    return config.is_morphable


def _differs(name, value):
    return lambda config: getattr(config, name) != value


@dataclass(frozen=True)
class MergeConfig:
    """How one frame is merged: the table of all settings. Numbers out of range are clamped, an unknown ``mode`` becomes ``overlay``.

    Each field is a row of the table (:class:`merger.settings.setting.Setting`). From it come the flags, the questions, the keys, the key
    map, the settings files, their checks, and the table in ``docs/merging.md``.

    Attributes
    ----------
    face_type : str
        Face type of the model, one of :data:`FACE_TYPES`; not part of equality.
    is_morphable : bool
        Whether the model has a morph factor (AMP); not part of equality.
    masked_statistics : bool
        Whether colour transfers with a mask count only the pixels inside; not part of equality.
    """

    mode: str = setting(
        "overlay",
        choices=MODES,
        stored_by_name=True,
        label="Mode",
        flag="original, overlay, hist-match, seamless, seamless-hist-match, raw-rgb or raw-predict, or its number",
        question=Question(1, "Choose mode: ", "overlay"),
        keys=Keys("`123456", "mode"),
        note="*raw-rgb* pastes the whole square, *raw-predict* writes the square alone",
    )
    masked_hist_match: bool = setting(
        True,
        flag="y or n: match histograms inside the mask only",
        shown=_is_plain_histogram_match,
        question=Question(2, "Masked hist match?", True, applies=_is_plain_histogram_match),
        keys=Keys("z", "histogram match inside the mask only", _is_plain_histogram_match),
        note="hist-match: count only pixels of the face",
    )
    hist_match_threshold: int = setting(
        238,
        limits=(0, 255),
        shown=_matches_histograms,
        question=Question(3, "Hist match threshold", 255, applies=_matches_histograms),
        keys=Keys("qa", "histogram match threshold", _matches_histograms),
        note="hist-match modes; 255 is the full match",
    )
    mask_mode: int = setting(
        4,
        choices=MASK_MODES,
        flag="full, dst, learned-prd, learned-dst, … or its number 0…9",
        question=Question(4, "Choose mask mode: ", 1),
        keys=Keys("x", "mask mode"),
        note="*dst* is the hull of the landmarks. XSeg needs its trained model in the model folder",
    )
    erode_mask_modifier: int = setting(
        0,
        limits=(-400, 400),
        flag="negative values dilate",
        shown=_is_coloured,
        question=Question(5, "Choose erode mask modifier", applies=_is_coloured),
        keys=Keys("ws", "erode / dilate the mask"),
        note="negative values enlarge the mask",
    )
    blur_mask_modifier: int = setting(
        0,
        limits=(0, 400),
        shown=_is_coloured,
        question=Question(6, "Choose blur mask modifier", applies=_is_coloured),
        keys=Keys("ed", "blur the mask"),
        note="soft edge",
    )
    motion_blur_power: int = setting(
        0,
        limits=(0, 100),
        shown=_is_coloured,
        question=Question(7, "Choose motion blur power", applies=_is_coloured),
        keys=Keys("rf", "motion blur"),
        note="along the movement of the face; `--subpixel-motion` measures it finer",
    )
    output_face_scale: int = setting(
        0,
        limits=(-50, 50),
        flag="positive values make the face smaller",
        question=Question(10, "Choose output face scale modifier"),
        keys=Keys("uj", "output face scale"),
        note="positive values make the face **smaller**",
    )
    color_transfer_mode: int = setting(
        1,
        choices=COLOR_TRANSFER_MODES,
        flag="none, rct, lct, mkl, mkl-m, idt, idt-m, sot-m or mix-m, or its number",
        shown=_is_coloured,
        keys=Keys("c", "color transfer"),
        note="*-m*: inside the mask",
        question=Question(11, "Color transfer to predicted face", applies=_is_coloured, names_only=True),
    )
    sharpen_mode: int = setting(
        0,
        choices=SHARPEN_MODES,
        flag="none, box or gaussian",
        label="sharpen_mode ",
        shown=_is_coloured,
        question=Question(12, "Choose sharpen mode: ", help="Sharpening brings out detail of the predicted face."),
        keys=Keys("n", "sharpen mode"),
        note="how `blursharpen_amount` works",
    )
    blursharpen_amount: int = setting(
        0,
        limits=(-100, 100),
        flag="negative values blur",
        label="blursharpen_amount ",
        shown=_is_coloured,
        question=Question(13, "Choose blur/sharpen amount", applies=_differs("sharpen_mode", 0)),
        keys=Keys("yh", "sharpen / blur the face"),
        note="negative amounts blur, in every mode",
    )
    super_resolution_power: int = setting(
        0,
        limits=(0, 100),
        keys=Keys("tg", "super resolution"),
        note="needs the FaceEnhancer weights",
        question=Question(
            14,
            "Choose super resolution power",
            help="Adds detail to the predicted face with the super resolution network.",
        ),
    )
    restore_power: int = setting(
        0,
        limits=(0, 100),
        flag="needs --restore-network",
        shown=_differs("restore_power", 0),
        note="share of the picture that `--restore-network` makes of the predicted face",
    )
    image_denoise_power: int = setting(
        0,
        limits=(0, 500),
        shown=_is_coloured,
        keys=Keys("ik", "denoise the frame"),
        note="of the frame around the face",
        question=Question(15, "Choose image degrade by denoise power", applies=_is_coloured),
    )
    bicubic_degrade_power: int = setting(
        0,
        limits=(0, 100),
        shown=_is_coloured,
        keys=Keys("ol", "bicubic degrade of the frame"),
        note="of the frame around the face",
        question=Question(16, "Choose image degrade by bicubic rescale power", applies=_is_coloured),
    )
    color_degrade_power: int = setting(
        0,
        limits=(0, 100),
        shown=_is_coloured,
        keys=Keys("p;", "color degrade of the result"),
        note="of the whole result",
        question=Question(17, "Degrade color power of final image", applies=_is_coloured),
    )
    pre_sharpen_power: int = setting(
        0,
        limits=(0, 200),
        shown=_differs("pre_sharpen_power", 0),
        note="sharpens the face before the network",
        keys=Keys("98", "sharpen the face before the network", large_steps=False),
        question=Question(
            9,
            "Choose pre_sharpen power",
            high=100,
            help="Sharpens the face before it goes to the network, which can improve the result.",
        ),
    )
    two_pass_mode: int = setting(
        0,
        choices=TWO_PASS_MODES,
        flag="none, face or face+mask",
        label="two_pass-mode",
        shown=_differs("two_pass_mode", 0),
        keys=Keys("b", "two pass mode"),
        note="the prediction goes through the network again",
        question=Question(
            8,
            "Use two pass mode?",
            yes=2,
            help="Feeds the network's output to the network again, which can improve the likeness.",
        ),
    )
    morph_power: int = setting(
        100,
        limits=(0, 100),
        flag="AMP: share of the source identity",
        shown=_differs("morph_power", 100),
        keys=Keys("(*", "morph factor (AMP)", _is_morphable, large_steps=False),
        note="AMP: share of the source's identity",
    )
    face_type: str = field(default="full", compare=False)
    is_morphable: bool = field(default=False, compare=False)
    masked_statistics: bool = field(default=False, compare=False)

    def __post_init__(self):
        for name, known in SETTINGS.items():
            object.__setattr__(self, name, known.valid(getattr(self, name), _STARTS[name]))
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
        name = _NAMES_BY_KEY.get(character)
        if name is None or not SETTINGS[name].keys.applies(self):
            return self
        # The large step down of the colours has a sign of its own, as Shift and ";" type it.
        return self.replace(
            **{name: SETTINGS[name].after_key(getattr(self, name), *_LARGE_KEYS.get(character, (character, shift)))}
        )

    def text(self, file_name: str) -> str:
        """The settings as lines for the console."""
        lines = [
            f"{known.label or name}: {known.readable(getattr(self, name))}"
            for name, known in SETTINGS.items()
            if known.shown(self)
        ]
        return "\n".join([f"MergerConfig {file_name}:", *lines, "================"])


SETTINGS = settings_of(MergeConfig)
"""All settings by name, in order."""

_STARTS = starts_of(MergeConfig)
_LARGE_KEYS = {":": (";", True)}
_NAMES_BY_KEY = {sign: name for name, known in SETTINGS.items() if known.keys for sign in known.keys.signs}
_NAMES_BY_KEY |= {sign: _NAMES_BY_KEY[plain] for sign, (plain, _) in _LARGE_KEYS.items()}

CHOICES = {name: known.choices for name, known in SETTINGS.items() if known.choices is not None}
"""Settings with a fixed list of values. All but ``mode`` are stored as the index into the list."""

RANGES = {name: known.limits for name, known in SETTINGS.items() if known.limits is not None}
"""Settings that are whole numbers, with their smallest and largest value."""

CYCLE_KEYS = {
    known.keys.signs: name
    for name, known in SETTINGS.items()
    if known.keys and known.choices and len(known.keys.signs) == 1
}
"""Keys that go through the choices of a setting."""

SETTING_NAMES = tuple(SETTINGS)
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
        return CHOICES[name][index] if SETTINGS[name].stored_by_name else index
    if name not in RANGES:
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
    return SETTINGS[name].readable(value)


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
