"""The options of AMP."""

from dataclasses import replace

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

OPTIONS = tuple(replace(option, default=8) if option.key == "batch_size" else option for option in COMMON) + (
    Option(
        "resolution", int, 224, "Resolution", 64, 640, info="64-640", fixed=True,
        adjust=lambda value, options: round_resolution(value, 32),
        help="Side of the model's square picture. Higher costs more memory and time. Rounded down to a multiple of 32.",
    ),
    Option(
        "face_type", str, "wf", "Face type", choices=("f", "wf", "head"), fixed=True,
        help="Area of the face to train: full, whole, head.",
    ),
    DIMENSIONS["ae_dims"], DIMENSIONS["inter_dims"], DIMENSIONS["e_dims"], DIMENSIONS["d_dims"],
    DIMENSIONS["d_mask_dims"],
    Option(
        "morph_factor", float, 0.5, "Morph factor.", 0.1, 0.5, info="0.1 .. 0.5", fixed=True, defaults_file=False,
        help="Share of code channels taken from the source intermediate while training.",
    ),
    SHARED["uniform_yaw"], SHARED["blur_out_mask"], SHARED["lr_dropout"], SHARED["models_opt_on_gpu"],
    SHARED["random_warp"], SHARED["gan_power"], SHARED["gan_patch_size"], SHARED["gan_dims"],
    SHARED["ct_mode"], SHARED["clipgrad"],
    LEARNING_RATE, WARP_VERSION, CT_SHARED, *TECHNICAL,
)  # fmt: skip
