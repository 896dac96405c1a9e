"""The ``merge`` step: predicted faces back into the frames."""

import argparse
from dataclasses import fields

from core.console import interact
from core.console.device_flags import add_device_flags, add_engine_flags
from core.console.number_flags import add_number, add_whole_number
from core.console.person_flags import add_person_flags, check_person_flags
from core.errors import UsageError, UserError
from core.files.paths import absolute_path, resolve_input_file
from core.video.hdr_flag import add_hdr_flag
from merger.settings.flags import add_setting_flags, given_settings
from models.pretraining_flag import add_pretraining_flag
from models.registry import SWAP_NAMES

_STEADY_FACTOR = 6.0
_MOST_THREADS, _LARGEST_BATCH = 1024, 4096


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``merge`` to the command line."""
    parser = subparsers.add_parser("merge", help="put predicted faces into the frames")
    folders = parser.add_argument_group("files")
    folders.add_argument("--input-dir", type=absolute_path, help="original destination frames")
    folders.add_argument(
        "--input-video", type=absolute_path, metavar="FILE", help="take the frames from a video instead"
    )
    add_hdr_flag(folders)
    folders.add_argument("--output-dir", type=absolute_path, help="merged frames, made if missing")
    folders.add_argument("--output-mask-dir", type=absolute_path, help="masks, made if missing")
    folders.add_argument(
        "--output-video", type=absolute_path, metavar="FILE", help="encode the merged frames at once, without PNGs"
    )
    folders.add_argument("--aligned-dir", type=absolute_path, help="aligned destination faces [INPUT_DIR/aligned]")
    folders.add_argument("--model-dir", type=absolute_path, required=True, help="folder of the model")
    parser.add_argument("--model", required=True, choices=SWAP_NAMES, help="class of the model")
    parser.add_argument("--force-model-name", help="name of the model (asked)")
    add_device_flags(parser)
    add_engine_flags(parser)
    add_pretraining_flag(parser)
    parser.add_argument(
        "--interactive",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="in a window, settings by keys (asked)",
    )
    parser.add_argument(
        "--non-interactive", action="store_false", dest="interactive", help="the same as --no-interactive"
    )
    parser.add_argument(
        "--use-session", action=argparse.BooleanOptionalAction, help="interactive: go on with the saved session (asked)"
    )
    parser.add_argument(
        "--config", type=absolute_path, metavar="FILE", help="settings file (YAML), also with keyframes"
    )
    parser.add_argument("--export-settings", type=absolute_path, metavar="FILE", help="write the settings used (YAML)")
    add_whole_number(parser, "--workers", 1, _MOST_THREADS, help="number of threads (asked)")
    add_whole_number(
        parser,
        "--batch-size",
        1,
        _LARGEST_BATCH,
        default=8,
        help="faces in one call of the network, on each device [8]",
    )
    add_number(parser, "--morph-factor", 0, 1, help="AMP: 0…1 (asked)")
    parser.add_argument("--overwrite", action="store_true", help="merge all frames anew, over existing ones")
    parser.add_argument(
        "--force", action="store_true", help="merge even when the faces seem to be cut out of other frames than these"
    )
    add_person_flags(parser, "Those of others stay as they are in the frame")
    parser.add_argument("--subpixel-motion", action="store_true", help="measure motion for the blur below a pixel")
    add_number(
        parser,
        "--smooth-landmarks",
        1,
        100,
        nargs="?",
        const=_STEADY_FACTOR,
        help=f"divide the jitter of still faces by X [{_STEADY_FACTOR:g}]; off by default",
    )
    parser.add_argument("--smooth-color", action="store_true", help="steady the colours that color transfer aims at")
    parser.add_argument(
        "--masked-statistics",
        action="store_true",
        help="rct and the transfers with -m count only pixels inside the mask, instead of black ones outside too",
    )
    parser.add_argument(
        "--report", action="store_true", help="write OUTPUT-DIR_report.html: jumps, missing faces, the worst frames"
    )
    parser.add_argument("--restore-network", metavar="NAME", help="restorer for --restore-power (networks list)")
    parser.add_argument(
        "--full-range-enhancer",
        action="store_true",
        help="super resolution gets values from -1 to 1, as it was trained, instead of 0 to 1",
    )
    parser.add_argument(
        "--no-provenance", action="store_true", help="--output-video: do not mark it as made by a model"
    )
    add_setting_flags(parser)
    parser.set_defaults(run=run, fills=("output_dir", "output_mask_dir"), writes=("output_video",))


def run(flags: argparse.Namespace) -> int | None:
    """Merge; returns 1 when frames failed."""
    from merger.run.steps import run_merge

    interact.info("Running merger.\n")
    return run_merge(_request(flags))


def _request(flags):
    """The flags as a checked request.

    Raises
    ------
    UsageError, UserError
        When flags contradict each other, or a folder is missing.
    """
    from merger.run.request import MergeRequest

    _check_flags(flags)
    values, tracks = given_settings(flags)
    names = {field.name for field in fields(MergeRequest)} & set(vars(flags))
    given = {name: getattr(flags, name) for name in names}
    given["aligned_dir"] = flags.aligned_dir or flags.input_dir / "aligned"
    if flags.input_video is not None:
        given["input_video"] = resolve_input_file(flags.input_video)
    request = MergeRequest(**given, values=values, tracks=tracks)
    _check_folders(request)
    return request


def _check_flags(flags):
    check_person_flags(flags)
    if (flags.input_dir is None) == (flags.input_video is None):
        raise UsageError("give either --input-dir or --input-video.")
    if flags.output_video is None and (flags.output_dir is None or flags.output_mask_dir is None):
        raise UsageError("give --output-dir and --output-mask-dir, or --output-video.")
    if flags.output_video is not None and flags.output_dir is not None:
        raise UsageError("give either --output-dir or --output-video.")
    if flags.report and (flags.output_dir is None or flags.input_dir is None or flags.interactive):
        raise UsageError(
            "--report looks at the pictures of a folder: give --input-dir and --output-dir, and leave out --interactive."
        )
    if flags.input_dir is None and flags.aligned_dir is None:
        raise UsageError("--input-video needs --aligned-dir.")


def _check_folders(request):
    if request.input_video is not None and request.output_video == request.input_video:
        raise UsageError("--output-video must not be the --input-video.")
    if request.input_dir is not None and request.input_dir.is_file():
        raise UsageError(
            f"--input-dir {request.input_dir}: is a file, not a folder. To merge a video: --input-video {request.input_dir}"
        )
    inputs = ((request.input_dir, "Input"), (request.model_dir, "Model"), (request.aligned_dir, "Aligned"))
    for folder, name in inputs:
        if folder is not None and not folder.is_dir():
            raise UserError(f"{name} directory not found. Please ensure it exists. ({folder})")
    folders = [
        folder for folder in (request.input_dir, request.output_dir, request.output_mask_dir) if folder is not None
    ]
    if len(set(folders)) < len(folders):
        raise UsageError("--input-dir, --output-dir and --output-mask-dir must be different folders.")
    for folder in (request.output_dir, request.output_mask_dir):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made ({error.strerror or error}).") from None
