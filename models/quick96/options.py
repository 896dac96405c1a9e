"""The options of Quick96."""

from models.options import TECHNICAL, Option

OPTIONS = (
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
    *TECHNICAL,
)  # fmt: skip

# What Quick96 trains with; none of it can be changed.
CONSTANTS = {
    "resolution": 96, "face_type": "f", "archi": "df-ud", "ae_dims": 128, "e_dims": 64, "d_dims": 64, "d_mask_dims": 16,
    "masked_training": True, "random_warp": True, "random_src_flip": False, "random_dst_flip": False, "uniform_yaw": False,
    "models_opt_on_gpu": True, "adabelief": False, "lr_dropout": "y", "ct_mode": "none", "pretrain": False,
}  # fmt: skip
