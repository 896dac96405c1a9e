"""What ``merge`` does once everything is settled: open the model, find the faces, run."""

from pathlib import Path

from core.console import interact
from core.console.loss import Fate, ask_fate
from core.engines import DEFAULT_PLACE
from core.errors import FormatError, UserError
from core.files.trash import rename_aside
from mainscripts.merge_run import batch_size, faceset_folders, frame_jobs, note_outcome, run_identity

_MOST_NAMED = 10


def list_frames(options):
    """Paths of the frames; those of a video are called as an extraction would call them."""
    from core.files.paths import list_images

    if options.input_video is None:
        return list_images(options.input_dir)
    from core.video.frames import frame_times

    return [Path(f"{number + 1:05d}.png") for number in range(len(frame_times(options.input_video)))]


def open_model(options):
    """The trained model, on the devices of the flags or of the question; their names go to ``options.places``."""
    from core.device_choice import choose_places
    from merger.predictor import on_device
    from models.base import check_knows_faces, open_for_inference
    from models.saved.model_files import summary_text

    places, cards = choose_places(options.engine, options.provider, options.cpu_only, options.force_gpu_idxs)
    # One card alone is left to TensorFlow, which then puts on it what can be there.
    options.places = places if len(places) > 1 or places[0].is_onnx else [DEFAULT_PLACE]
    first = options.places[0]
    with on_device(first.device):
        model = open_for_inference(options.model_dir, options.model, options.force_model_name, options.cpu_only, first)
    prefix = f"{model.name}_{model.class_name}"
    check_knows_faces(prefix, model.options, getattr(options, "allow_pretraining", None), "merge")
    shown = [(gpu.index, gpu.name, gpu.memory_gib) for gpu in cards]
    interact.info(summary_text(prefix, model.iteration, model.options, shown))
    return model


def report_consents(options):
    """Say what the consent records of both facesets tell."""
    from samplelib.faces.consent import report_consent

    for folder in faceset_folders(options):
        report_consent(folder)


def collect_frames(options, paths):
    """Frames with their faces, smoothed if wanted, and their motion; refused when the faces come from other frames."""
    from mainscripts.merge_sources import check_sources
    from merger.frames import match_faces, with_motion
    from merger.smoothing import smooth_landmarks
    from samplelib.faces.faceset import load_faceset

    samples = load_faceset(options.aligned_dir, allow_empty=True)
    frames, single = match_faces(paths, samples)
    check_sources(options, frames, samples)
    if options.smooth_landmarks:
        frames = smooth_landmarks(frames, options.smooth_landmarks)
    return with_motion(frames, options.subpixel_motion) if single else frames


def run_all(options, frames, settings, model, workers):
    """Merge all frames without a window; returns 1 when frames failed."""
    configs = [settings.at(frame.index) for frame in frames]
    networks = make_networks(options, model)
    _check_networks(options, model, networks, configs)
    if options.export_settings:
        _export(options, frames, configs)
    if options.output_video is not None:
        from mainscripts.merge_video import merge_to_video

        failed, total = merge_to_video(options, frames, configs, networks, model, workers)
    else:
        failed, total = _merge_to_folder(options, frames, configs, networks, model, workers)
        _record(options, model)
    return _report(failed, total)


def run_interactive(options, frames, settings, model, workers):
    """Merge in a window; returns 1 when frames failed."""
    from merger.interactive.run import InteractiveRun
    from merger.interactive.session import session_path
    from merger.interactive.window import MergerWindow

    output = _folder_output(options, model)
    _record_frames(options, frames)
    path = session_path(options.model_dir, model.name, options.model)
    start = settings.at(0)
    states, position = _states(options, frames, settings, model, output, path)
    _ask_to_overwrite(options, output, [frame for frame, state in zip(frames, states, strict=True) if not state.done])
    settings_path = options.export_settings or path.with_name(path.name.replace("_session.json", "_settings.yaml"))
    run = InteractiveRun(
        frames,
        states,
        position,
        start,
        make_networks(options, model),
        output,
        path,
        settings_path,
        model.iteration,
        workers,
        options.smooth_color,
        lambda config: _missing_network(options, config),
    )
    run.run(MergerWindow())
    if options.export_settings:
        run.export(linear=False)
    _record(options, model)
    return _report(run.failed, len(frames))


def _states(options, frames, settings, model, output, path):
    """States of the frames and the position to begin with: of the saved session, of DeepFaceLab's, or new ones."""
    from merger.interactive.session import resume
    from merger.interactive.state import FrameState

    session = _stored_session(options, model, settings.base, path)
    if session is None:
        if path.is_file():
            interact.info(f"The session that is not used is kept as {rename_aside(path).name}.")
        if not settings.tracks:
            return [FrameState(frame.path.name) for frame in frames], 0
        return [_given_state(frame, settings.at(frame.index), output) for frame in frames], 0
    names = [frame.path.name for frame in frames]
    return resume(session, names, model.iteration, lambda index, config: output.is_done(frames[index], config))


def _given_state(frame, config, output):
    """State of a frame whose settings come from a file with keyframes."""
    from merger.interactive.state import FrameState

    return FrameState(frame.path.name, config, config if output.is_done(frame, config) else None)


def _stored_session(options, model, start, path):
    from merger.interactive.session import from_imported, read_session
    from merger.interactive.session_import import read_session as read_foreign
    from merger.interactive.session_import import session_path as foreign_path

    foreign = foreign_path(options.model_dir, f"{model.name}_{options.model}")
    if options.use_session is False or not (path.is_file() or foreign.is_file()):
        if options.use_session:
            raise UserError(f"{path}: there is no saved session.")
        return None
    chosen = path if path.is_file() else foreign
    if options.use_session is None:
        interact.discard_pending_input()
        if not interact.ask_bool("Use saved session?", True):
            return None
    try:
        session = read_session(path, start) if chosen == path else from_imported(read_foreign(foreign), start)
    except FormatError as error:
        if options.use_session:
            raise
        interact.warning(f"{error}. A new session begins.")
        return None
    interact.info(f"Using saved session from {chosen.parent.name}/{chosen.name}")
    return session


def make_networks(options, model):
    """The networks of a merge; with several devices one copy on each, over which every batch is spread."""
    from merger.predictor import SpreadNetworks, on_device
    from models.base import open_for_inference

    first, *others = getattr(options, "places", [DEFAULT_PLACE])
    members = [_networks_on(options, model, first)]
    for place in others:
        with on_device(place.device):
            copy = open_for_inference(options.model_dir, options.model, model.name, options.cpu_only, place)
        members.append(_networks_on(options, copy, place))
    return SpreadNetworks(members) if others else members[0]


def _networks_on(options, model, place):
    from merger.predictor import LazyNetworks

    def make_xseg():
        from models.xseg.predictor import XSegPredictor, available

        if not available(options.model_dir):
            raise UserError(
                f"{options.model_dir}: no trained XSeg model, which this mask mode needs. Train XSeg, or choose another mask mode."
            )
        return XSegPredictor(options.model_dir, place)

    def make_enhancer():
        from facelib.enhancer import FaceEnhancer

        return FaceEnhancer(place=place)

    return LazyNetworks(model, make_xseg, make_enhancer, place.device, getattr(options, "full_range_enhancer", False))


def _missing_network(options, config):
    """Why these settings cannot be used here, or None: the network of the mask mode or of super resolution is missing."""
    from facelib.enhancer import WEIGHTS_NAME
    from facelib.weights import find_weights
    from models.xseg.predictor import available

    if config.uses_xseg and not available(options.model_dir):
        return "XSeg masks need a trained XSeg model in the model folder; these mask modes are passed over."
    if config.super_resolution_power and find_weights(WEIGHTS_NAME) is None:
        return f"Super resolution needs the weights of {WEIGHTS_NAME}, which are missing."
    return None


def _check_networks(options, model, networks, configs):
    """Load XSeg and the enhancer now if they are needed, so that a missing one is an error before the first frame."""
    if any(config.uses_xseg for config in configs):
        face_type = networks.load_xseg().face_type
        if face_type is not None and face_type != model.face_type:
            interact.warning(
                f"the XSeg model was trained on {face_type.text}, but the faces are {model.face_type.text}."
            )
    if any(config.super_resolution_power for config in configs):
        networks.load_enhancer()


def _folder_output(options, model):
    from merger.output import FolderOutput

    return FolderOutput(options.output_dir, options.output_mask_dir, run_identity(options, model))


def _merge_to_folder(options, frames, configs, networks, model, workers):
    """Merge the frames that are not merged yet; returns the failed paths and how many were tried."""
    from merger.pipeline import merge_frames

    output = _folder_output(options, model)
    _record_frames(options, frames)
    pending = {
        frame.index
        for frame, config in zip(frames, configs, strict=True)
        if options.overwrite or not output.is_done(frame, config)
    }
    _ask_to_overwrite(options, output, [frame for frame in frames if frame.index in pending])
    if len(pending) < len(frames):
        interact.info(f"{len(frames) - len(pending)} of {len(frames)} frames are merged already with these settings.")

    def write(job, image, mask):
        output.write(job.frame, image, mask)

    failed = []
    jobs = frame_jobs(options, frames, configs, pending)
    with interact.progress(len(frames), "Merging", len(frames) - len(pending)) as bar:
        for merged in merge_frames(jobs, networks, write, workers, batch_size(options), options.smooth_color):
            if merged.job.context:
                continue
            if note_outcome(merged, failed):
                output.note(merged.job.frame, merged.job.config)
            bar.update()
    return failed, len(pending)


def _ask_to_overwrite(options, output, frames):
    """Pictures that no merge wrote, or that were changed since, are replaced only after a yes."""
    foreign = output.foreign_frames(frames)
    if not foreign or options.overwrite:
        return
    question = (
        f"Pictures of {len(foreign)} frames in {options.output_dir} were not written by this program. Overwrite them?"
    )
    fate = ask_fate(question, "--overwrite")
    if fate is Fate.KEEP:
        raise UserError(f"{options.output_dir}: not merged. Move the old pictures away, or give --overwrite.")
    if fate is Fate.SET_ASIDE:
        interact.info(f"They are in {output.set_foreign_aside(foreign)} now.")


def _export(options, frames, configs):
    from merger.settings.settings_file import write_settings

    write_settings(options.export_settings, configs, [frame.path.name for frame in frames])
    interact.info(f"Settings are written to {options.export_settings}")


def _record_frames(options, frames):
    """Leave a list of all frames beside the results, so that a video of only some of them is noticed."""
    from core.video.sequence import record_frames

    for folder in (options.output_dir, options.output_mask_dir):
        record_frames(folder, [frame.stem for frame in frames])


def _record(options, model):
    """Leave a note of the model beside the merged frames, for the video that will be made of them."""
    from merger.merge_record import record_merge

    record_merge(options.output_dir, options.model_dir, options.model, model.name, faceset_folders(options))


def _report(failed, total):
    if not failed:
        return None
    names = ", ".join(path.name for path in failed[:_MOST_NAMED]) + (" …" if len(failed) > _MOST_NAMED else "")
    interact.error(f"{len(failed)} of {total} frames were not merged: {names}")
    return 1
