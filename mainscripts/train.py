"""The ``train`` step: from command line to a finished or resumed training."""

import argparse
from dataclasses import fields
from typing import Any

from core.console import interact
from core.console.device_flags import add_device_flags, add_training_engine_flag
from core.errors import UsageError
from core.files.paths import absolute_path
from models.registry import NAMES


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``train`` to the command line."""
    parser = subparsers.add_parser("train", help="train a face model, or a mask model (XSeg)")
    folder = {"type": absolute_path, "metavar": "DIR"}
    parser.add_argument("--training-data-src-dir", required=True, help="source faceset", **folder)
    parser.add_argument("--training-data-dst-dir", required=True, help="destination faceset", **folder)
    parser.add_argument("--pretraining-data-dir", help="faceset for pretraining mode", **folder)
    parser.add_argument("--pretrained-model-dir", help="start weights for a new Quick96 model", **folder)
    parser.add_argument("--model-dir", required=True, help="folder of the models", **folder)
    parser.add_argument("--model", required=True, choices=NAMES, help="model class")
    parser.add_argument("--force-model-name", metavar="NAME", help="do not ask for the model")
    parser.add_argument("--silent-start", action="store_true", help="latest model, best GPU, no questions")
    parser.add_argument("--no-preview", action="store_true", help="no window; previews go to <model>_preview.jpg")
    add_device_flags(parser)
    add_training_engine_flag(parser)
    parser.add_argument("--debug", action="store_true", help="only show the generated samples")
    _add_option_flags(parser)
    _add_run_flags(parser)
    _add_file_flags(parser)
    parser.set_defaults(run=run)


def _add_option_flags(parser):
    group = parser.add_argument_group("model options (docs/options.md)")
    group.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="an option; repeatable")
    group.add_argument("--options", metavar="FILE.yaml", type=absolute_path, help="options from a YAML file")
    group.add_argument("--dump-options", metavar="FILE.yaml", type=absolute_path, help="write the options and end")
    group.add_argument("--recipe", metavar="FILE.yaml", type=absolute_path, help="train in phases (docs/recipes)")


def _add_run_flags(parser):
    group = parser.add_argument_group("the run")
    group.add_argument("--target-iter", metavar="N", type=int, help="same as --set target_iter=N")
    group.add_argument("--saving-time", metavar="MINUTES", type=float, default=25.0, help="minutes between saves (25)")
    group.add_argument("--save-every", metavar="N", type=int, default=0, help="also save every N iterations")
    group.add_argument("--backup-every", metavar="HOURS", type=float, default=0.0, help="hours between backups")
    group.add_argument(
        "--run-every",
        metavar=("SECONDS", "COMMAND"),
        nargs=2,
        action="append",
        default=[],
        help="run a program regularly",
    )
    group.add_argument(
        "--execute-program", metavar=("N", "NAME"), nargs="+", action="append", default=[],
        help="N > 0: once after N seconds, N < 0: every N seconds; NAME is save, backup, preview or stop",
    )  # fmt: skip
    group.add_argument("--holdout", metavar="N", type=int, default=0, help="keep N faces of each side for scores")
    group.add_argument("--tensorboard", metavar="DIR", type=absolute_path, help="write TensorBoard logs there")
    group.add_argument("--web-preview", metavar="PORT", type=int, help="preview at http://127.0.0.1:PORT")
    group.add_argument("--seed", metavar="N", type=int, help="repeatable training (slower)")
    group.add_argument("--workers", metavar="N", type=int, help="threads that make samples")
    group.add_argument("--cache-mb", metavar="N", type=int, help="memory for decoded faces")
    group.add_argument(
        "--sample-store", metavar="DIR", nargs="?", const="", type=_place_of_samples,
        help="keep cut out faces on disk for facesets beyond the memory: in DIR, or beside the facesets (docs/training.md)",
    )  # fmt: skip
    group.add_argument("--notebook", action="store_true", help="notebook mode (automatic in Colab)")


def _place_of_samples(text):
    return absolute_path(text) if text else text  # empty: beside the facesets


def _add_file_flags(parser):
    group = parser.add_argument_group("the model's files (docs/training.md)")
    group.add_argument(
        "--restore-backup", metavar="NAME", nargs="?", const="",
        help="first put back a backup: its number, or a folder; without NAME the newest whole one (see: main.py backups)",
    )  # fmt: skip
    group.add_argument(
        "--replace-missing-weights", action="store_true",
        help="let networks whose weight file is missing begin anew; the other files are set aside first",
    )  # fmt: skip
    group.add_argument(
        "--fallback-save-dir", metavar="DIR", type=absolute_path,
        help="save there while the model folder cannot be written",
    )  # fmt: skip


# Smallest and largest value of the numbers among the flags; None is no limit.
_RANGES = {
    "save_every": (0, None), "backup_every": (0, None), "holdout": (0, None), "workers": (1, None), "cache_mb": (0, None),
    "web_preview": (1, 65535), "seed": (0, 2**32 - 1),
}  # fmt: skip


def run(flags: argparse.Namespace) -> int | None:
    """Train; returns the exit code."""
    request = request_of(flags)
    from models.training.training_session import TrainingSession

    interact.info("Running trainer.\n")
    return TrainingSession(request).run()


def request_of(flags: argparse.Namespace) -> Any:
    """The flags as a request.

    Raises
    ------
    UsageError
        When a number is out of its range.
    """
    from models.training.request import TrainRequest

    _check_numbers(flags)
    return TrainRequest(**{field.name: getattr(flags, field.name) for field in fields(TrainRequest)})


def _check_numbers(flags):
    if not 0 < flags.saving_time < float("inf"):
        raise UsageError(f"--saving-time {flags.saving_time:g}: give more than 0 minutes.")
    for name, (low, high) in _RANGES.items():
        value = getattr(flags, name)
        if value is not None and not low <= value <= (float("inf") if high is None else high) or value == float("inf"):
            allowed = f"{low} or more" if high is None else f"{low} to {high}"
            raise UsageError(f"--{name.replace('_', '-')} {value:g}: give {allowed}.")
