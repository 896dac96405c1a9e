"""The ``merge`` step: predicted faces back into the frames."""

from core import interact
from core.errors import UsageError, UserError
from core.paths import absolute_path

MODEL_CLASSES = ("SAEHD", "AMP", "Quick96")

_SETTING_HELP = {
    "mode": "original, overlay, hist-match, seamless, seamless-hist-match, raw-rgb or raw-predict, or its number",
    "masked_hist_match": "y or n: match histograms inside the mask only",
    "hist_match_threshold": "0…255",
    "mask_mode": "full, dst, learned-prd, learned-dst, … or its number 0…9",
    "erode_mask_modifier": "-400…400; negative values dilate",
    "blur_mask_modifier": "0…400",
    "motion_blur_power": "0…100",
    "output_face_scale": "-50…50; positive values make the face smaller",
    "color_transfer_mode": "none, rct, lct, mkl, mkl-m, idt, idt-m, sot-m or mix-m, or its number",
    "sharpen_mode": "none, box or gaussian",
    "blursharpen_amount": "-100…100; negative values blur",
    "super_resolution_power": "0…100",
    "image_denoise_power": "0…500",
    "bicubic_degrade_power": "0…100",
    "color_degrade_power": "0…100",
    "two_pass_mode": "none, face or face+mask",
    "pre_sharpen_power": "0…200",
    "morph_power": "0…100, AMP: share of the source identity",
}
_FACE_TYPE_NAMES = {0: "half", 1: "midfull", 2: "full", 4: "whole_face", 10: "head"}


def add_parser(subparsers):
    """Add ``merge`` to the command line."""
    parser = subparsers.add_parser("merge", help="put predicted faces into the frames")
    parser.add_argument("--input-dir", type=absolute_path, required=True, help="original destination frames")
    parser.add_argument("--output-dir", type=absolute_path, required=True, help="merged frames, made if missing")
    parser.add_argument("--output-mask-dir", type=absolute_path, required=True, help="masks, made if missing")
    parser.add_argument("--aligned-dir", type=absolute_path, help="aligned destination faces [INPUT_DIR/aligned]")
    parser.add_argument("--model-dir", type=absolute_path, required=True, help="folder of the model")
    parser.add_argument("--model", required=True, choices=MODEL_CLASSES, help="class of the model")
    parser.add_argument("--force-model-name", help="name of the model (asked)")
    parser.add_argument("--cpu-only", action="store_true", help="do not use a GPU")
    parser.add_argument("--force-gpu-idxs", metavar="N", help="index of the GPU to use (asked)")
    parser.add_argument(
        "--config", type=absolute_path, metavar="FILE", help="settings file (YAML), also with keyframes"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="number of threads (asked)")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="faces in one call of the network [8]")
    parser.add_argument("--morph-factor", type=float, metavar="X", help="AMP: 0…1 (asked)")
    parser.add_argument("--overwrite", action="store_true", help="merge all frames anew, over existing ones")
    parser.add_argument("--subpixel-motion", action="store_true", help="measure motion for the blur below a pixel")
    _add_setting_flags(parser)
    parser.set_defaults(run=run)


def run(options):
    """Merge; returns 1 when frames failed."""
    from core.paths import list_images

    interact.info("Running merger.\n")
    _check_folders(options)
    values, tracks = _given_settings(options)
    paths = list_images(options.input_dir)
    if not paths:
        interact.info("No frames to merge in input_dir.")
        return 3
    model = _open_model(options)
    base = _model_config(model)
    if base.is_morphable:
        values.setdefault("morph_power", _morph_power(options, tracks))
    return _merge_without_window(options, paths, model, base, values, tracks)


def _merge_without_window(options, paths, model, base, values, tracks):
    from merger.questions import ask_settings
    from merger.settings_file import Settings

    given = {**{name: track.values[0] for name, track in tracks.items()}, **values}
    settings = Settings(ask_settings(base, given), {name: t for name, t in tracks.items() if name not in values})
    workers = _workers(options)
    frames = _collect_frames(options, paths)
    networks = _networks(options, model)
    _check_xseg(options, model, {settings.at(frame.index).mask_mode for frame in frames})
    return _run(options, frames, settings, model, networks, workers)


def _add_setting_flags(parser):
    group = parser.add_argument_group("settings (each is asked if left out)")
    for name, text in _SETTING_HELP.items():
        group.add_argument(f"--{name.replace('_', '-')}", dest=f"setting_{name}", metavar="V", help=text)


def _check_folders(options):
    if options.aligned_dir is None:
        options.aligned_dir = options.input_dir / "aligned"
    for folder, name in (
        (options.input_dir, "Input"),
        (options.model_dir, "Model"),
        (options.aligned_dir, "Aligned"),
    ):
        if not folder.is_dir():
            raise UserError(f"{name} directory not found. Please ensure it exists. ({folder})")
    if options.batch_size < 1:
        raise UsageError(f"--batch-size is {options.batch_size}: give 1 or more.")
    outputs = (options.output_dir, options.output_mask_dir)
    if options.input_dir in outputs or options.output_dir == options.output_mask_dir:
        raise UsageError("--input-dir, --output-dir and --output-mask-dir must be three different folders.")
    for folder in outputs:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made ({error.strerror or error}).") from None


def _given_settings(options):
    from merger.config import parse_value
    from merger.settings_file import read_settings

    values, tracks = read_settings(options.config) if options.config else ({}, {})
    for name in _SETTING_HELP:
        text = getattr(options, f"setting_{name}")
        if text is not None:
            values[name] = parse_value(name, text, "--" + name.replace("_", "-") + ": ")
            tracks.pop(name, None)
    return values, tracks


def _open_model(options):
    from models.base import open_for_inference
    from xseglib.device import choose_one_device

    choose_one_device(options.cpu_only, options.force_gpu_idxs)
    return open_for_inference(options.model_dir, options.model, options.force_model_name, options.cpu_only)


def _model_config(model):
    from merger.config import MergeConfig

    face_type = _FACE_TYPE_NAMES.get(int(model.face_type))
    if face_type is None:
        raise UserError(
            f"the model's face type {model.face_type} cannot be merged; use half, midfull, full, whole_face or head."
        )
    return MergeConfig(face_type=face_type, is_morphable=getattr(model, "class_name", "") == "AMP")


def _morph_power(options, tracks):
    if options.morph_factor is not None:
        if not 0 <= options.morph_factor <= 1:
            raise UsageError(f"--morph-factor is {options.morph_factor}: give a number from 0 to 1.")
        return round(100 * options.morph_factor)
    if "morph_power" in tracks:
        return tracks["morph_power"].values[0]
    return round(100 * interact.ask_number("Morph factor", 1.0, 0.0, 1.0, "0.0 .. 1.0"))


def _workers(options):
    from core.parallel import cpu_count

    cores = cpu_count()
    if options.workers is not None:
        if options.workers < 1:
            raise UsageError(f"--workers is {options.workers}: give 1 or more.")
        return options.workers
    help_text = "Number of threads that read, compose and write frames. More than there are cores does not help."
    return interact.ask_int("Number of workers?", min(max(8, cores), cores), 1, cores, help_text=help_text)


def _collect_frames(options, paths):
    from merger.frames import match_faces, with_motion
    from samplelib.faceset import load_faceset

    frames, single = match_faces(paths, load_faceset(options.aligned_dir, allow_empty=True))
    return with_motion(frames, options.subpixel_motion) if single else frames


def _networks(options, model):
    from merger.predictor import LazyNetworks

    def make_xseg():
        from models.xseg_predictor import XSegPredictor

        return XSegPredictor(options.model_dir)

    def make_enhancer():
        from facelib.enhancer import FaceEnhancer

        return FaceEnhancer()

    return LazyNetworks(model, make_xseg, make_enhancer)


def _check_xseg(options, model, mask_modes):
    """An XSeg mask mode needs a trained XSeg model in the model folder."""
    from merger.config import MASK_MODES

    chosen = [mode for mode in mask_modes if "XSeg" in MASK_MODES[mode]]
    if not chosen:
        return
    from models.xseg_predictor import XSegPredictor, available

    if not available(options.model_dir):
        raise UserError(
            f"{options.model_dir}: no trained XSeg model, which mask mode {MASK_MODES[chosen[0]]} needs. "
            "Train XSeg, or choose another mask mode."
        )
    face_type = XSegPredictor(options.model_dir).face_type
    if face_type is not None and face_type != model.face_type:
        interact.warning(f"the XSeg model was trained on {face_type.text}, but the faces are {model.face_type.text}.")


def _run(options, frames, settings, model, networks, workers):
    from core.imageio import encode_image
    from core.paths import atomic_write
    from merger.journal import Journal
    from merger.pipeline import Job, merge_frames

    journal = Journal(options.output_dir, options.output_mask_dir)
    keys = {frame.stem: _frame_key(options, model, frame, settings.at(frame.index)) for frame in frames}
    pending = [frame for frame in frames if options.overwrite or not journal.is_done(frame.stem, keys[frame.stem])]
    _ask_to_overwrite(options, journal, pending)
    if len(pending) < len(frames):
        interact.info(f"{len(frames) - len(pending)} of {len(frames)} frames are merged already with these settings.")

    def write(job, image, mask):
        frame_path, mask_path = journal.outputs(job.frame.stem)
        atomic_write(frame_path, encode_image(image, ".png"))
        atomic_write(mask_path, encode_image(mask, ".png"))

    failed = []
    jobs = (Job(frame, settings.at(frame.index)) for frame in pending)
    with interact.progress(len(frames), "Merging", len(frames) - len(pending)) as bar:
        for merged in merge_frames(jobs, networks, write, workers, options.batch_size):
            frame, config = merged.job.frame, merged.job.config
            if merged.error is not None:
                failed.append(frame.path)
                fate = "nothing is written" if merged.lost else "the frame is copied"
                interact.error(f"Error while merging file [{frame.path}]: {_one_line(merged.error)}; {fate}.")
            else:
                journal.add(frame.stem, keys[frame.stem])
                if not frame.faces and config.mode != "raw-predict":
                    interact.info(f"no faces found for {frame.path.name}, copying without faces")
            bar.update()
    if failed:
        names = ", ".join(path.name for path in failed[:10]) + (" …" if len(failed) > 10 else "")
        interact.error(f"{len(failed)} of {len(pending)} frames were not merged: {names}")
        return 1
    return None


def _frame_key(options, model, frame, config):
    from merger.journal import file_stamp, frame_key

    return frame_key(
        config.settings(),
        config.face_type,
        [options.model, model.name, model.iteration],
        frame.faces,
        [frame.motion.degrees, frame.motion.power],
        file_stamp(frame.path),
    )


def _ask_to_overwrite(options, journal, pending):
    """Pictures that no merge wrote are replaced only after a yes."""
    foreign = [frame for frame in pending if journal.is_foreign(frame.stem)]
    if not foreign or options.overwrite:
        return
    question = f"{len(foreign)} pictures in {options.output_dir} or its mask folder were not written by this program. Overwrite them?"
    if not interact.confirm(question, flag="--overwrite"):
        raise UserError(f"{options.output_dir}: not merged. Move the old pictures away, or give --overwrite.")


def _one_line(error):
    text = str(error).strip().splitlines()
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return kind + (text[0] if text else "")
