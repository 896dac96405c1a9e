"""The options of XSeg."""

from dataclasses import replace

from models.options import TECHNICAL, Option

OPTIONS = (
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
    *(replace(option, default=False) if option.key == "fuse_update" else option for option in TECHNICAL),
)  # fmt: skip

CONSTANTS = {"resolution": 256}
