"""The options of SAEHD."""

from models.options import (
    COMMON,
    CT_SHARED,
    DIMENSIONS,
    LEARNING_RATE,
    SHARED,
    TECHNICAL,
    WARP_VERSION,
    Option,
    round_resolution,
)


def is_architecture(text: str) -> bool:
    """Whether ``text`` is ``df`` or ``liae``, optionally with ``-`` and letters out of u, d, t, c."""
    network, dash, letters = text.lower().partition("-")
    return network in ("df", "liae") and (bool(letters) and set(letters) <= set("udtc") if dash else True)


def architecture_letters(archi: str) -> str:
    """The letters after the dash of an architecture text, or an empty text."""
    return archi.partition("-")[2]


def resolution_step(archi: str) -> int:
    """What SAEHD's resolution must be a multiple of: 32 with architecture letter d or t, else 16."""
    return 32 if set(architecture_letters(archi)) & set("dt") else 16


def _masked_training_matters(options):
    return options["face_type"] in ("wf", "head")


OPTIONS = COMMON + (
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
    DIMENSIONS["ae_dims"], DIMENSIONS["e_dims"], DIMENSIONS["d_dims"], DIMENSIONS["d_mask_dims"],
    Option(
        "masked_training", bool, True, "Masked training", applies=_masked_training_matters, otherwise=True,
        help="Train only inside of the face mask.",
    ),
    Option(
        "eyes_mouth_prio", bool, False, "Eyes and mouth priority",
        help="Weigh eyes and mouth much more. Fixes wrong gaze, improves teeth.",
    ),
    SHARED["uniform_yaw"], SHARED["blur_out_mask"], SHARED["models_opt_on_gpu"],
    Option(
        "adabelief", bool, True, "Use AdaBelief optimizer?",
        help="AdaBelief instead of RMSprop: more memory, better accuracy and generalisation.",
    ),
    SHARED["lr_dropout"], SHARED["random_warp"],
    Option(
        "random_hsv_power", float, 0.0, "Random hue/saturation/light intensity", 0.0, 0.3, info="0.0 .. 0.3",
        help="Random colour change of the source input only. Makes the colour of the swap steadier; needs a varied source "
        "faceset.",
    ),
    SHARED["gan_power"], SHARED["gan_patch_size"], SHARED["gan_dims"],
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
    SHARED["ct_mode"], SHARED["clipgrad"],
    Option(
        "pretrain", bool, False, "Enable pretraining mode",
        help="Train on the pretraining faceset on both sides first, to start later projects faster. Overrides several "
        "options.",
    ),
    Option(
        "bg_style_from_prediction", bool, False,
        help="Background style: leave out the swapped face by its own mask, not (as DeepFaceLab does) by the source mask.",
    ),
    LEARNING_RATE, WARP_VERSION, CT_SHARED, *TECHNICAL,
)  # fmt: skip

# Values that pretraining forces; the stored options keep what was answered.
PRETRAINING = {
    "random_warp": False, "random_src_flip": True, "random_dst_flip": True, "random_hsv_power": 0.0, "gan_power": 0.0,
    "lr_dropout": "n", "face_style_power": 0.0, "bg_style_power": 0.0, "uniform_yaw": True, "ct_mode": "none",
    "true_face_power": 0.0,
}  # fmt: skip
