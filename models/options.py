"""What an option of a model is, with those that several models share."""

from collections.abc import Callable
from dataclasses import dataclass
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


def round_resolution(value: int, step: int) -> int:
    """``value`` rounded down to a multiple of ``step``, kept within 64…640."""
    return max(64, min(640, value // step * step))


def _even(value, options):
    return value + value % 2


def _batch_by_memory(options, context):
    return 8 if context.gpu_count and context.smallest_gpu_bytes >= 4 * GIB else 4


def _third_of_decoder(options, context):
    third = options.get("d_dims", 64) // 3
    return max(16, third + third % 2)


def _gan(options):
    return options["gan_power"] != 0.0


COMMON = (
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

DIMENSIONS = {
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

SHARED = {
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
WARP_VERSION = Option(
    "warp_version", str, "dfl", choices=("dfl", "independent"),
    help="Random warp. dfl: as DeepFaceLab, where the horizontal and the vertical noise are mirror images of each other and "
    "inputs sit half a pixel off their targets. independent: separate noises and no offset.",
)  # fmt: skip
CT_SHARED = Option(
    "ct_shared", bool, False,
    help="With colour transfer idt or sot: give the input and its target the same random colours (DeepFaceLab draws them "
    "twice).",
)  # fmt: skip

LEARNING_RATE = Option(
    "learning_rate", float, 5e-5, low=1e-7, high=1e-2,
    help="Learning rate of all optimizers.",
)  # fmt: skip
TECHNICAL = (
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

# The forced values that the summary shows (the others are shown as stored, as DeepFaceLab does).
SHOWN_WHILE_PRETRAINING = (
    "lr_dropout", "random_warp", "gan_power", "random_hsv_power", "face_style_power", "bg_style_power", "uniform_yaw",
)  # fmt: skip
