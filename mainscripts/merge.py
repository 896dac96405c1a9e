"""The ``merge`` step: predicted faces back into the frames."""

import argparse

from core.console import interact
from core.console.device_flags import add_device_flags, add_engine_flags
from core.console.number_flags import add_number, add_whole_number
from core.errors import UsageError, UserError
from core.files.paths import absolute_path, resolve_input_file
from core.video.hdr_flag import add_hdr_flag
from merger.settings.flags import add_setting_flags, given_settings
from models.pretraining_flag import add_pretraining_flag
from models.registry import SWAP_NAMES

_FACE_TYPE_NAMES = {0: "half", 1: "midfull", 2: "full", 4: "whole_face", 10: "head"}


_STEADY_FACTOR = 6.0
_MOST_THREADS, _LARGEST_BATCH = 1024, 4096


def add_parser(subparsers):
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
        "--full-range-enhancer",
        action="store_true",
        help="super resolution gets values from -1 to 1, as it was trained, instead of 0 to 1",
    )
    parser.add_argument(
        "--no-provenance", action="store_true", help="--output-video: do not mark it as made by a model"
    )
    add_setting_flags(parser)
    parser.set_defaults(run=run, fills=("output_dir", "output_mask_dir"), writes=("output_video",))


def run(options):
    """Merge; returns 1 when frames failed."""
    from mainscripts import merge_steps
    from merger.settings.settings_file import Settings

    interact.info("Running merger.\n")
    _check_options(options)
    values, tracks = given_settings(options)
    paths = merge_steps.list_frames(options)
    if not paths:
        interact.info("No frames to merge in input_dir.")
        return 3
    merge_steps.report_consents(options)
    frames = merge_steps.collect_frames(options, paths)
    model = merge_steps.open_model(options)
    base = _model_config(model).replace(masked_statistics=options.masked_statistics)
    if base.is_morphable:
        values.setdefault("morph_power", _morph_power(options, tracks))
    if _wants_window(options):
        settings = Settings(base.replace(**values), tracks)
        workers = _workers(options)
        return merge_steps.run_interactive(options, frames, settings, model, workers)
    from merger.settings.questions import ask_settings

    given = {**{name: track.values[0] for name, track in tracks.items()}, **values}
    settings = Settings(ask_settings(base, given), tracks)
    workers = _workers(options)
    return merge_steps.run_all(options, frames, settings, model, workers)


def _check_options(options):
    if (options.input_dir is None) == (options.input_video is None):
        raise UsageError("give either --input-dir or --input-video.")
    if options.output_video is None and (options.output_dir is None or options.output_mask_dir is None):
        raise UsageError("give --output-dir and --output-mask-dir, or --output-video.")
    if options.output_video is not None and options.output_dir is not None:
        raise UsageError("give either --output-dir or --output-video.")
    if options.aligned_dir is None:
        if options.input_dir is None:
            raise UsageError("--input-video needs --aligned-dir.")
        options.aligned_dir = options.input_dir / "aligned"
    if options.input_video is not None:
        options.input_video = resolve_input_file(options.input_video)
        if options.output_video == options.input_video:
            raise UsageError("--output-video must not be the --input-video.")
    _check_folders(options)


def _check_folders(options):
    inputs = ((options.input_dir, "Input"), (options.model_dir, "Model"), (options.aligned_dir, "Aligned"))
    for folder, name in inputs:
        if folder is not None and not folder.is_dir():
            raise UserError(f"{name} directory not found. Please ensure it exists. ({folder})")
    folders = [
        folder for folder in (options.input_dir, options.output_dir, options.output_mask_dir) if folder is not None
    ]
    if len(set(folders)) < len(folders):
        raise UsageError("--input-dir, --output-dir and --output-mask-dir must be different folders.")
    for folder in (options.output_dir, options.output_mask_dir):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made ({error.strerror or error}).") from None


def _wants_window(options):
    """Whether to merge interactively; that needs a display, someone to ask, and frames in a folder."""
    from core.window.picture_window import window_problem

    streamed = options.input_video is not None or options.output_video is not None
    if options.interactive:
        if streamed:
            raise UsageError("the interactive merger works on folders; extract the frames of the video first.")
        problem = window_problem()
        if problem is not None:
            raise UserError(f"the interactive merger opens no window here: {problem}. Leave out --interactive.")
        return True
    if options.interactive is False or streamed or not interact.has_terminal() or window_problem() is not None:
        return False
    return interact.ask_bool("Use interactive merger?", True)


def _model_config(model):
    from merger.settings.config import MergeConfig

    face_type = _FACE_TYPE_NAMES.get(int(model.face_type))
    if face_type is None:
        raise UserError(
            f"the model's face type {model.face_type} cannot be merged; use half, midfull, full, whole_face or head."
        )
    return MergeConfig(face_type=face_type, is_morphable=model.is_morphable)


def _morph_power(options, tracks):
    if options.morph_factor is not None:
        return round(100 * options.morph_factor)
    if "morph_power" in tracks:
        return tracks["morph_power"].values[0]
    return round(100 * interact.ask_number("Morph factor", 1.0, 0.0, 1.0, "0.0 .. 1.0"))


def _workers(options):
    from core.parallel import cpu_count

    cores = cpu_count()
    if options.workers is not None:
        return options.workers
    help_text = "Number of threads that read, compose and write frames. More than there are cores does not help."
    return interact.ask_int("Number of workers?", min(max(8, cores), cores), 1, cores, help_text=help_text)
