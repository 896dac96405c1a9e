"""The option tables of the trainable models: every question, flag, check and help text is made from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

GIB = 2**30


@dataclass(frozen=True)
class Context:
    """What a default or a condition may depend on besides the options themselves.

    Parameters
    ----------
    gpu_count : int
        Chosen GPUs; 0 = CPU.
    smallest_gpu_bytes : int
        Memory of the smallest chosen GPU.
    notebook : bool
        Whether the program runs in a notebook without a console.
    """

    gpu_count: int = 0
    smallest_gpu_bytes: int = 0
    notebook: bool = False


@dataclass(frozen=True)
class Option:
    """One option of a model.

    Parameters
    ----------
    key : str
        Name in ``data.dat``, in ``--set`` and in YAML files.
    kind : type
        ``int``, ``float``, ``bool`` or ``str``.
    default : value or callable
        A callable takes ``(options so far, Context)``.
    prompt : str, optional
        Text of the question; without it the option is never asked.
    low, high : number, optional
        Allowed range. ``adjust`` brings an answer into it.
    info : str, optional
        Range as the prompt shows it.
    clamped_by_question : bool
        The question itself clamps, and shows the range as ``low-high``.
    choices : tuple of str, optional
        Allowed texts.
    help : str
        Printed for the answer ``?`` where ``has_help``, and in the documentation.
    fixed : bool
        Cannot be changed after the first run.
    stored : bool
        Kept in ``data.dat``.
    applies : callable, optional
        Takes the options so far; when false the option is not asked and ``otherwise`` decides its value.
    otherwise : value or callable, optional
        Value where ``applies`` is false; without it the default is stored (``None`` in it: nothing is stored).
    later_only : bool
        Asked only when training of an existing model is overridden.
    adjust : callable, optional
        Takes ``(value, options so far)``, returns the value to use, for example rounded.
    accept : callable, optional
        Takes a value and returns whether it is allowed: a text that is typed or given, a number that is given (one that is
        typed is brought into the range, as DeepFaceLab does).
    expected : str, optional
        What ``accept`` wants, for messages.
    defaults_file : bool
        Whether the class's default-options file may supply the default.
    """

    key: str
    kind: type
    default: Any
    prompt: str | None = None
    low: float | None = None
    high: float | None = None
    info: str | None = None
    clamped_by_question: bool = False
    choices: tuple[str, ...] | None = None
    help: str = ""
    has_help: bool = True
    fixed: bool = False
    stored: bool = True
    applies: Callable[[dict], bool] | None = None
    otherwise: Any = None
    later_only: bool = False
    adjust: Callable[[Any, dict], Any] | None = None
    accept: Callable[[Any], bool] | None = None
    expected: str | None = None
    defaults_file: bool = True

    def default_value(self, options: dict, context: Context) -> Any:
        """The built-in default, given the options that come before this one."""
        return self.default(options, context) if callable(self.default) else self.default

    def adjusted(self, value: Any, options: dict) -> Any:
        """``value`` clamped to the range and rounded as the model needs it."""
        if self.low is not None:
            value = max(self.kind(self.low), value)
        if self.high is not None:
            value = min(self.kind(self.high), value)
        return self.adjust(value, options) if self.adjust else value


def is_architecture(text: str) -> bool:
    """Whether ``text`` is ``df`` or ``liae``, optionally with ``-`` and letters out of u, d, t, c."""
    network, dash, letters = text.lower().partition("-")
    return network in ("df", "liae") and (bool(letters) and set(letters) <= set("udtc") if dash else True)


def architecture_letters(archi: str) -> str:
    """The letters after the dash of an architecture text, or an empty text."""
    return archi.partition("-")[2]


def round_resolution(value: int, step: int) -> int:
    """``value`` rounded down to a multiple of ``step``, kept within 64…640."""
    return max(64, min(640, value // step * step))


def resolution_step(archi: str) -> int:
    """What SAEHD's resolution must be a multiple of: 32 with architecture letter d or t, else 16."""
    return 32 if set(architecture_letters(archi)) & set("dt") else 16


def _even(value, options):
    return value + value % 2


def _batch_by_memory(options, context):
    return 8 if context.gpu_count and context.smallest_gpu_bytes >= 4 * GIB else 4


def conflicts(class_name: str, options: dict) -> list[tuple[tuple[str, ...], str]]:
    """Options that do not fit each other: the keys concerned, and why."""
    found = []
    if class_name == "AMP" and options.get("inter_dims", 0) < options.get("ae_dims", 0):
        reason = f"inter_dims ({options['inter_dims']}) must be at least ae_dims ({options['ae_dims']})"
        found.append((("inter_dims", "ae_dims"), reason))
    if options.get("lr_dropout") == "cpu" and options.get("compile_step"):
        reason = "lr_dropout=cpu draws its masks on the CPU, which a step compiled whole (compile_step) cannot: use lr_dropout=y"
        found.append((("lr_dropout", "compile_step"), reason))
    return found


def _third_of_decoder(options, context):
    third = options.get("d_dims", 64) // 3
    return max(16, third + third % 2)


def _masked_training_matters(options):
    return options["face_type"] in ("wf", "head")


def _gan(options):
    return options["gan_power"] != 0.0


_COMMON = (
    Option(
        "autobackup_hour", int, 0, "Autobackup every N hour", 0, 24, info="0..24",
        help="Every N hours copy the model files and a preview into a numbered backup folder (01 is the newest). 0 turns it off.",
    ),
    Option(
        "write_preview_history", bool, False, "Write preview history",
        help="Save a preview picture at a regular iteration step into the folder <model>_history.",
    ),
    Option(
        "choose_preview_history", bool, False, "Choose image for the preview history", has_help=False, stored=False,
        applies=lambda options: options["write_preview_history"], otherwise=False,
        help="Pick the samples that the history pictures will show.",
    ),
    Option(
        "target_iter", int, 0, "Target iteration", 0, has_help=False,
        help="Stop and save when this iteration is reached. 0 means no limit.",
    ),
    Option(
        "random_src_flip", bool, False, "Flip SRC faces randomly",
        help="Mirror source faces at random. Covers more head angles, but the face may lose its natural asymmetry.",
    ),
    Option(
        "random_dst_flip", bool, True, "Flip DST faces randomly",
        help="Mirror destination faces at random. Helps generalisation when source flipping is off.",
    ),
    Option(
        "batch_size", int, _batch_by_memory, "Batch_size", 0, accept=lambda value: value >= 1, expected="1 or more",
        help="Faces per training step. Larger generalises better and needs more memory.",
    ),
)  # fmt: skip

_DIMENSIONS = {
    "ae_dims": Option(
        "ae_dims", int, 256, "AutoEncoder dimensions", 32, 1024, info="32-1024", fixed=True,
        help="Width of the code that holds all facial information. Too small loses rare states such as closed eyes.",
    ),
    "inter_dims": Option(
        "inter_dims", int, 1024, "Inter dimensions", 32, 2048, info="32-2048", fixed=True,
        help="Channels of the intermediate code that is morphed. At least the autoencoder dimensions.",
    ),
    "e_dims": Option(
        "e_dims", int, 64, "Encoder dimensions", 16, 256, info="16-256", fixed=True, adjust=_even,
        help="Channels of the encoder. More recognises finer features and needs more memory.",
    ),
    "d_dims": Option(
        "d_dims", int, 64, "Decoder dimensions", 16, 256, info="16-256", fixed=True, adjust=_even,
        help="Channels of the decoder. More gives sharper output and needs more memory.",
    ),
    "d_mask_dims": Option(
        "d_mask_dims", int, _third_of_decoder, "Decoder mask dimensions", 16, 256, info="16-256", fixed=True, adjust=_even,
        help="Channels of the mask branch, usually a third of the decoder's. Raise it for detailed hand-made masks.",
    ),
}  # fmt: skip

_SHARED = {
    "uniform_yaw": Option(
        "uniform_yaw", bool, False, "Uniform yaw distribution of samples",
        help="Draw head angles evenly, so that rare side faces are trained more often.",
    ),
    "blur_out_mask": Option(
        "blur_out_mask", bool, False, "Blur out mask",
        help="Replace the surroundings of the masked face in the targets by a blurred version, so that the border shows "
        "less. Needs exact masks in both facesets.",
    ),
    "models_opt_on_gpu": Option(
        "models_opt_on_gpu", bool, True, "Place models and optimizer on GPU",
        help="Keep weights and optimizer state in GPU memory. Answer no to keep them in main memory, slower but with room "
        "for a larger model.",
    ),
    "lr_dropout": Option(
        "lr_dropout", str, "n", "Use learning rate dropout", choices=("n", "y", "cpu"),
        help="Late in training: update only a random 30 % of the weights per step with a cyclic rate, for more sharpness "
        "and less sub-pixel shake. cpu draws the random masks on the CPU to save GPU memory. Turn it on before turning "
        "off random warp and before GAN.",
    ),
    "random_warp": Option(
        "random_warp", bool, True, "Enable random warp of samples",
        help="Distort the network's input at random. Needed to learn expressions; turn off at the end for sharpness.",
    ),
    "gan_power": Option(
        "gan_power", float, 0.0, "GAN power", 0.0, 5.0, info="0.0 .. 5.0",
        help="Train against a discriminator to learn fine detail. Only for well-trained faces with random warp off; then "
        "keep it on. High values cause artefacts.",
    ),
    "gan_patch_size": Option(
        "gan_patch_size", int, lambda options, context: options["resolution"] // 8, "GAN patch size", 3, 640,
        info="3-640", applies=_gan,
        help="Receptive field of the discriminator. Larger gives better quality and needs more memory.",
    ),
    "gan_dims": Option(
        "gan_dims", int, 16, "GAN dimensions", 4, 512, info="4-512", applies=_gan,
        help="Channels of the discriminator.",
    ),
    "ct_mode": Option(
        "ct_mode", str, "none", "Color transfer for src faceset", choices=("none", "rct", "lct", "mkl", "idt", "sot"),
        help="Shift the colours of each source sample toward a random destination face.",
    ),
    "clipgrad": Option(
        "clipgrad", bool, False, "Enable gradient clipping",
        help="Limit the global gradient norm to 1. Lowers the risk of collapse, slows learning.",
    ),
}  # fmt: skip

# Never asked, set with --set or a YAML file only, stored only when they differ from the default.
_WARP_VERSION = Option(
    "warp_version", str, "dfl", choices=("dfl", "independent"),
    help="Random warp. dfl: as DeepFaceLab, where the horizontal and the vertical noise are mirror images of each other and "
    "inputs sit half a pixel off their targets. independent: separate noises and no offset.",
)  # fmt: skip
_CT_SHARED = Option(
    "ct_shared", bool, False,
    help="With colour transfer idt or sot: give the input and its target the same random colours (DeepFaceLab draws them "
    "twice).",
)  # fmt: skip

_LEARNING_RATE = Option(
    "learning_rate", float, 5e-5, low=1e-7, high=1e-2,
    help="Learning rate of all optimizers.",
)  # fmt: skip
_TECHNICAL = (
    Option(
        "precision", str, "float32", choices=("float32", "bfloat16", "float16", "auto"),
        help="Number format of the networks' inner computations; weights stay float32. auto: bfloat16 on graphics cards "
        "that compute it fast, else float32.",
    ),
    Option(
        "compile_step", bool, False,
        help="Compile the whole training step with XLA: faster on graphics cards, a slow first iteration.",
    ),
    Option(
        "fuse_update", bool, True,
        help="Compile the optimizers' updates with XLA: faster steps, a slower first iteration. On processors only without "
        "learning-rate dropout.",
    ),
    Option(
        "recompute", bool, False,
        help="Compute activations a second time in the backward pass instead of keeping them: less memory, slower.",
    ),
)  # fmt: skip

SAEHD = _COMMON + (
    Option(
        "resolution", int, 128, "Resolution", 64, 640, info="64-640", fixed=True, adjust=lambda value, options: round_resolution(value, resolution_step(options.get("archi", ""))),
        help="Side of the model's square picture. Higher costs more memory and time. Rounded down to a multiple of 16 (32 "
        "with architecture letter d or t).",
    ),
    Option(
        "face_type", str, "f", "Face type", choices=("h", "mf", "f", "wf", "head"), fixed=True,
        help="Area of the face to train: half, mid, full, whole (with forehead), head. Smaller areas get more pixels. Head "
        "needs XSeg masks in both facesets.",
    ),
    Option(
        "archi", str, "liae-ud", "AE architecture", fixed=True, accept=is_architecture,
        adjust=lambda value, options: value.lower(),
        expected="df or liae, optionally followed by - and letters out of u, d, t, c (such as liae-ud)",
        help="df keeps the source identity, liae adapts to differently shaped faces. u: more likeness; d: double output "
        "resolution for the same cost; t: more likeness, heavier; c: cosine activation (experimental).",
    ),
    _DIMENSIONS["ae_dims"], _DIMENSIONS["e_dims"], _DIMENSIONS["d_dims"], _DIMENSIONS["d_mask_dims"],
    Option(
        "masked_training", bool, True, "Masked training", applies=_masked_training_matters, otherwise=True,
        help="Train only inside of the face mask.",
    ),
    Option(
        "eyes_mouth_prio", bool, False, "Eyes and mouth priority",
        help="Weigh eyes and mouth much more. Fixes wrong gaze, improves teeth.",
    ),
    _SHARED["uniform_yaw"], _SHARED["blur_out_mask"], _SHARED["models_opt_on_gpu"],
    Option(
        "adabelief", bool, True, "Use AdaBelief optimizer?",
        help="AdaBelief instead of RMSprop: more memory, better accuracy and generalisation.",
    ),
    _SHARED["lr_dropout"], _SHARED["random_warp"],
    Option(
        "random_hsv_power", float, 0.0, "Random hue/saturation/light intensity", 0.0, 0.3, info="0.0 .. 0.3",
        help="Random colour change of the source input only. Makes the colour of the swap steadier; needs a varied source "
        "faceset.",
    ),
    _SHARED["gan_power"], _SHARED["gan_patch_size"], _SHARED["gan_dims"],
    Option(
        "true_face_power", float, 0.0, "'True face' power.", 0.0, 1.0, info="0.0000 .. 1.0",
        applies=lambda options: "df" in options["archi"], otherwise=0.0,
        help="Experimental, df only: a discriminator on the code pulls source and destination codes together, for more "
        "likeness to the source.",
    ),
    Option(
        "face_style_power", float, 0.0, "Face style power", 0.0, 100.0, info="0.0..100.0",
        help="Learn the destination's colours inside of the mask. Only after about 10000 iterations, from 0.001 up; raises "
        "the risk of collapse.",
    ),
    Option(
        "bg_style_power", float, 0.0, "Background style power", 0.0, 100.0, info="0.0..100.0",
        help="Make the area outside of the mask of the swapped face like the destination. Raises the risk of collapse.",
    ),
    _SHARED["ct_mode"], _SHARED["clipgrad"],
    Option(
        "pretrain", bool, False, "Enable pretraining mode",
        help="Train on the pretraining faceset on both sides first, to start later projects faster. Overrides several "
        "options.",
    ),
    Option(
        "bg_style_from_prediction", bool, False,
        help="Background style: leave out the swapped face by its own mask, not (as DeepFaceLab does) by the source mask.",
    ),
    _LEARNING_RATE, _WARP_VERSION, _CT_SHARED, *_TECHNICAL,
)  # fmt: skip

AMP = tuple(replace(option, default=8) if option.key == "batch_size" else option for option in _COMMON) + (
    Option(
        "resolution", int, 224, "Resolution", 64, 640, info="64-640", fixed=True,
        adjust=lambda value, options: round_resolution(value, 32),
        help="Side of the model's square picture. Higher costs more memory and time. Rounded down to a multiple of 32.",
    ),
    Option(
        "face_type", str, "wf", "Face type", choices=("f", "wf", "head"), fixed=True,
        help="Area of the face to train: full, whole, head.",
    ),
    _DIMENSIONS["ae_dims"], _DIMENSIONS["inter_dims"], _DIMENSIONS["e_dims"], _DIMENSIONS["d_dims"],
    _DIMENSIONS["d_mask_dims"],
    Option(
        "morph_factor", float, 0.5, "Morph factor.", 0.1, 0.5, info="0.1 .. 0.5", fixed=True, defaults_file=False,
        help="Share of code channels taken from the source intermediate while training.",
    ),
    _SHARED["uniform_yaw"], _SHARED["blur_out_mask"], _SHARED["lr_dropout"], _SHARED["models_opt_on_gpu"],
    _SHARED["random_warp"], _SHARED["gan_power"], _SHARED["gan_patch_size"], _SHARED["gan_dims"],
    _SHARED["ct_mode"], _SHARED["clipgrad"],
    _LEARNING_RATE, _WARP_VERSION, _CT_SHARED, *_TECHNICAL,
)  # fmt: skip

QUICK96 = (
    Option("batch_size", int, 4, low=1, help="Faces per training step."),
    Option(
        "target_iter", int, 0, low=0, has_help=False,
        help="Stop and save when this iteration is reached. 0 means no limit.",
    ),
    Option(
        "autobackup_hour", int, 0, low=0, high=24,
        help="Every N hours copy the model files and a preview into a numbered backup folder. 0 turns it off.",
    ),
    Option(
        "write_preview_history", bool, False,
        help="Save a preview picture every 10 iterations into the folder <model>_history.",
    ),
    *_TECHNICAL,
)  # fmt: skip

# What Quick96 trains with; none of it can be changed.
QUICK96_CONSTANTS = {
    "resolution": 96, "face_type": "f", "archi": "df-ud", "ae_dims": 128, "e_dims": 64, "d_dims": 64, "d_mask_dims": 16,
    "masked_training": True, "random_warp": True, "random_src_flip": False, "random_dst_flip": False, "uniform_yaw": False,
    "models_opt_on_gpu": True, "adabelief": False, "lr_dropout": "y", "ct_mode": "none", "pretrain": False,
}  # fmt: skip

XSEG = (
    Option(
        "restart_training", bool, False, "Restart training?", stored=False, later_only=True,
        help="Set the iteration to 0: weights start again and the first-run questions are asked.",
    ),
    Option(
        "face_type", str, "wf", "Face type", choices=("h", "mf", "f", "wf", "head"), fixed=True,
        help="Area of the face that the mask model sees. Use the same as for the swap model.",
    ),
    Option(
        "batch_size", int, 4, "Batch_size", 2, 16, clamped_by_question=True,
        help="Faces per training step.",
    ),
    Option(
        "pretrain", bool, False, "Enable pretraining mode", has_help=False,
        help="Learn to rebuild grey faces from the pretraining faceset first.",
    ),
    Option(
        "target_iter", int, 0, low=0, has_help=False,
        help="Stop and save when this iteration is reached. 0 means no limit.",
    ),
    Option(
        "autobackup_hour", int, 0, low=0, high=24,
        help="Every N hours copy the model files and a preview into a numbered backup folder. 0 turns it off.",
    ),
    # Compiling the update of XSeg's many small tensors takes minutes.
    *(replace(option, default=False) if option.key == "fuse_update" else option for option in _TECHNICAL),
)  # fmt: skip

XSEG_CONSTANTS = {"resolution": 256}

TABLES = {"AMP": AMP, "Quick96": QUICK96, "SAEHD": SAEHD, "XSeg": XSEG}
CONSTANTS = {"AMP": {}, "Quick96": QUICK96_CONSTANTS, "SAEHD": {}, "XSeg": XSEG_CONSTANTS}

# Values that pretraining forces; the stored options keep what was answered.
PRETRAINING = {
    "SAEHD": {
        "random_warp": False, "random_src_flip": True, "random_dst_flip": True, "random_hsv_power": 0.0, "gan_power": 0.0,
        "lr_dropout": "n", "face_style_power": 0.0, "bg_style_power": 0.0, "uniform_yaw": True, "ct_mode": "none",
        "true_face_power": 0.0,
    },
    "AMP": {}, "Quick96": {}, "XSeg": {},
}  # fmt: skip

# The forced values that the summary shows (the others are shown as stored, as DeepFaceLab does).
SHOWN_WHILE_PRETRAINING = (
    "lr_dropout", "random_warp", "gan_power", "random_hsv_power", "face_style_power", "bg_style_power", "uniform_yaw",
)  # fmt: skip


def option_table(class_name: str) -> dict[str, Option]:
    """The options of a model class by key, in the order of asking."""
    return {option.key: option for option in TABLES[class_name]}


def effective_options(class_name: str, options: dict) -> dict:
    """What training uses: stored options, the class's constants, and the values that pretraining forces.

    Options that are neither stored nor constant get their built-in default.
    """
    effective = {}
    for option in TABLES[class_name]:
        if option.stored:
            merged = {**effective, **options}
            effective[option.key] = merged.get(option.key, _quiet_default(option, merged))
    effective.update({key: value for key, value in options.items() if key not in effective})
    effective.update(CONSTANTS[class_name])
    if effective.get("pretrain"):
        effective.update(PRETRAINING[class_name])
    return effective


def _quiet_default(option, options):
    try:
        return option.default_value(options, Context())
    except KeyError:
        return None
