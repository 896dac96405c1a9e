"""A merge from beginning to end: find the frames and faces, open the model, settle the settings, run."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from core.console import interact
from core.console.counted import counted
from core.console.loss import Fate, ask_fate
from core.engines import DEFAULT_PLACE
from core.errors import FormatError, UsageError, UserError
from core.files.trash import rename_aside
from merger.predictor import Networks
from merger.run.common import batch_size, faceset_folders, frame_jobs, note_outcome, run_identity
from merger.run.request import MergeRequest

_MOST_NAMED = 10
_FACE_TYPE_NAMES = {0: "half", 1: "midfull", 2: "full", 4: "whole_face", 10: "head"}


def run_merge(request: MergeRequest) -> int | None:
    """Merge.

    Returns
    -------
    int or None
        Exit code: 1 when frames failed, 3 when there are none.

    Raises
    ------
    UserError
        When something is missing, or the faces do not fit the frames.
    """
    from merger.settings.questions import ask_settings
    from merger.settings.settings_file import Settings

    paths = list_frames(request)
    if not paths:
        interact.info("No frames to merge in input_dir.")
        return 3
    report_consents(request)
    frames = collect_frames(request, paths)
    model, request = open_model(request)
    base = _model_config(model).replace(masked_statistics=request.masked_statistics)
    values = dict(request.values)
    if base.is_morphable:
        values.setdefault("morph_power", _morph_power(request))
    if _wants_window(request):
        settings = Settings(base.replace(**values), request.tracks)
        return run_interactive(request, frames, settings, model, _workers(request))
    given = {**{name: track.values[0] for name, track in request.tracks.items()}, **values}
    settings = Settings(ask_settings(base, given), request.tracks)
    return run_all(request, frames, settings, model, _workers(request))


def list_frames(request: MergeRequest) -> list[Path]:
    """Paths of the frames; those of a video are called as an extraction would call them."""
    from core.files.paths import list_images

    if request.input_video is None:
        return list_images(cast(Path, request.input_dir))
    from core.video.frames import frame_times

    return [Path(f"{number + 1:05d}.png") for number in range(len(frame_times(request.input_video)))]


def open_model(request: MergeRequest) -> tuple[Any, MergeRequest]:
    """The trained model on the devices of the flags or of the question, and the request that knows these devices."""
    from core.device_choice import choose_places
    from merger.predictor import on_device
    from models.base import check_knows_faces, open_for_inference
    from models.saved.model_files import summary_text

    places, cards = choose_places(request.engine, request.provider, request.cpu_only, request.force_gpu_idxs)
    # One card alone is left to TensorFlow, which then puts on it what can be there.
    used = tuple(places) if len(places) > 1 or places[0].is_onnx else (DEFAULT_PLACE,)
    with on_device(used[0].device):
        model = open_for_inference(
            request.model_dir, request.model, request.force_model_name, request.cpu_only, used[0]
        )  # fmt: skip
    prefix = f"{model.name}_{model.class_name}"
    check_knows_faces(prefix, model.options, request.allow_pretraining, "merge")
    shown = [(gpu.index, gpu.name, gpu.memory_gib) for gpu in cards]
    interact.info(summary_text(prefix, model.iteration, model.options, shown))
    return model, replace(request, places=used)


def report_consents(request: MergeRequest) -> None:
    """Say what the consent records of both facesets tell."""
    from samplelib.faces.consent import report_consent

    for folder in faceset_folders(request):
        report_consent(folder)


def collect_frames(request: MergeRequest, paths: list[Path]) -> list:
    """Frames with their faces, smoothed if wanted, and their motion; refused when the faces come from other frames."""
    from merger.frames import match_faces, with_motion
    from merger.run.source_check import check_sources
    from merger.smoothing import smooth_landmarks
    from samplelib.faceset import load_faceset

    samples = load_faceset(request.aligned_dir, allow_empty=True)
    if request.keep:
        samples = _of_the_person(request, samples)
    frames, single = match_faces(paths, samples)
    check_sources(request, frames, samples)
    if request.smooth_landmarks:
        frames = smooth_landmarks(frames, request.smooth_landmarks)
    return with_motion(frames, request.subpixel_motion) if single else frames


def _of_the_person(request, samples):
    """The faces that are like the pictures of ``--keep``."""
    from core.parallel import ordered_map
    from samplelib.faces.persons import KnownPerson, person_places

    person = KnownPerson(person_places(request.keep, request.aligned_dir), request.keep_likeness)

    def is_shown(sample):
        return person.is_shown(sample.read_bgr(), sample.metadata.landmarks)

    kept = []
    with interact.progress(len(samples), "Looking at faces") as bar:
        for outcome in ordered_map(is_shown, samples):
            bar.update()
            if isinstance(outcome.error, UserError):
                interact.warning(f"{outcome.item.name}: {outcome.error}. The face is not merged.")
                continue
            if outcome.error is not None:
                raise outcome.error
            kept += [outcome.item] if outcome.value else []
    told = f"likeness of at least {person.likeness:g}, told by {person.embedding.description}"
    interact.info(f"{len(kept)} of {counted(len(samples), 'face')} are merged: {told}.")
    if samples and not kept:
        raise UserError(
            "None of the faces is like the picture of --keep. Give another picture, or a lower --keep-likeness."
        )
    return kept


def run_all(request: MergeRequest, frames: list, settings: Any, model: Any, workers: int) -> int | None:
    """Merge all frames without a window; returns 1 when frames failed."""
    configs = [settings.at(frame.index) for frame in frames]
    networks = make_networks(request, model)
    _check_networks(request, model, networks, configs)
    if request.export_settings:
        _export(request, frames, configs)
    if request.output_video is not None:
        from merger.run.to_video import merge_to_video

        failed, total = merge_to_video(request, frames, configs, networks, model, workers)
    else:
        failed, total = _merge_to_folder(request, frames, configs, networks, model, workers)
        _record(request, model)
    code = _report(failed, total)
    if request.report:
        _write_page(request, frames)
    return code


def _write_page(request, frames):
    """The page about all merged frames that are there."""
    from merger.run import quality_report

    triples = [
        (frame.path, request.output_dir / f"{frame.stem}.png", request.output_mask_dir / f"{frame.stem}.png")
        for frame in frames
    ]
    output = request.output_dir.with_name(request.output_dir.name + quality_report.ENDING)
    there = [triple for triple in triples if all(path.is_file() for path in triple)]
    quality_report.tell(output, quality_report.write_report(output, there))


def run_interactive(request: MergeRequest, frames: list, settings: Any, model: Any, workers: int) -> int | None:
    """Merge in a window; returns 1 when frames failed."""
    from merger.interactive.run import InteractiveRun
    from merger.interactive.session import session_path
    from merger.interactive.window import MergerWindow

    output = _folder_output(request, model)
    _record_frames(request, frames)
    path = session_path(request.model_dir, model.name, request.model)
    start = settings.at(0)
    states, position = _states(request, frames, settings, model, output, path)
    _ask_to_overwrite(request, output, [frame for frame, state in zip(frames, states, strict=True) if not state.done])
    settings_path = request.export_settings or path.with_name(path.name.replace("_session.json", "_settings.yaml"))
    run = InteractiveRun(
        frames,
        states,
        position,
        start,
        make_networks(request, model),
        output,
        path,
        settings_path,
        model.iteration,
        workers,
        request.smooth_color,
        lambda config: _missing_network(request, config),
    )
    run.run(MergerWindow())
    if request.export_settings:
        run.export(linear=False)
    _record(request, model)
    return _report(run.failed, len(frames))


def _states(request, frames, settings, model, output, path):
    """States of the frames and the position to begin with: of the saved session, of DeepFaceLab's, or new ones."""
    from merger.interactive.session import resume
    from merger.interactive.state import FrameState

    session = _stored_session(request, model, settings.base, path)
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


def _stored_session(request, model, start, path):
    from merger.interactive.session import from_imported, read_session
    from merger.interactive.session_import import read_session as read_foreign
    from merger.interactive.session_import import session_path as foreign_path

    foreign = foreign_path(request.model_dir, f"{model.name}_{request.model}")
    if request.use_session is False or not (path.is_file() or foreign.is_file()):
        if request.use_session:
            raise UserError(f"{path}: there is no saved session.")
        return None
    chosen = path if path.is_file() else foreign
    if request.use_session is None:
        interact.discard_pending_input()
        if not interact.ask_bool("Use saved session?", True):
            return None
    try:
        session = read_session(path, start) if chosen == path else from_imported(read_foreign(foreign), start)
    except FormatError as error:
        if request.use_session:
            raise
        interact.warning(f"{error}. A new session begins.")
        return None
    interact.info(f"Using saved session from {chosen.parent.name}/{chosen.name}")
    return session


def make_networks(request: MergeRequest, model: Any) -> Networks:
    """The networks of a merge; with several devices one copy on each, over which every batch is spread."""
    from merger.predictor import SpreadNetworks, on_device
    from models.base import open_for_inference

    first, *others = request.places
    members = [_networks_on(request, model, first)]
    for place in others:
        with on_device(place.device):
            copy = open_for_inference(request.model_dir, request.model, model.name, request.cpu_only, place)
        members.append(_networks_on(request, copy, place))
    return SpreadNetworks(members) if others else members[0]


def _networks_on(request, model, place):
    from merger.predictor import LazyNetworks

    def make_xseg():
        from models.xseg.predictor import XSegPredictor, available

        if not available(request.model_dir):
            raise UserError(
                f"{request.model_dir}: no trained XSeg model, which this mask mode needs. Train XSeg, or choose another mask mode."
            )
        return XSegPredictor(request.model_dir, place)

    def make_enhancer():
        from facelib.enhancer import FaceEnhancer

        return FaceEnhancer(place=place)

    def make_restorer():
        from facelib.registry.roles import open_restorer

        return open_restorer(request.restore_network)

    restorer = None if request.restore_network is None else make_restorer
    return LazyNetworks(model, make_xseg, make_enhancer, place.device, request.full_range_enhancer, restorer)


def _missing_network(request, config):
    """Why these settings cannot be used here, or None: the network of the mask mode or of super resolution is missing."""
    from facelib.enhancer import WEIGHTS_NAME
    from facelib.weights import find_weights
    from models.xseg.predictor import available

    if config.uses_xseg and not available(request.model_dir):
        return "XSeg masks need a trained XSeg model in the model folder; these mask modes are passed over."
    if config.super_resolution_power and find_weights(WEIGHTS_NAME) is None:
        return f"Super resolution needs the weights of {WEIGHTS_NAME}, which are missing."
    if config.restore_power and request.restore_network is None:
        return "restore_power needs a restorer: --restore-network NAME (main.py networks list)."
    return None


def _check_networks(request, model, networks, configs):
    """Load XSeg and the enhancer now if they are needed, so that a missing one is an error before the first frame."""
    if any(config.uses_xseg for config in configs):
        face_type = networks.load_xseg().face_type
        if face_type is not None and face_type != model.face_type:
            interact.warning(
                f"the XSeg model was trained on {face_type.text}, but the faces are {model.face_type.text}."
            )
    if any(config.super_resolution_power for config in configs):
        networks.load_enhancer()
    if any(config.restore_power for config in configs):
        networks.load_restorer()


def _folder_output(request, model):
    from merger.output import FolderOutput

    return FolderOutput(request.output_dir, request.output_mask_dir, run_identity(request, model))


def _merge_to_folder(request, frames, configs, networks, model, workers):
    """Merge the frames that are not merged yet; returns the failed paths and how many were tried."""
    from merger.pipeline import merge_frames

    output = _folder_output(request, model)
    _record_frames(request, frames)
    pending = {
        frame.index
        for frame, config in zip(frames, configs, strict=True)
        if request.overwrite or not output.is_done(frame, config)
    }
    _ask_to_overwrite(request, output, [frame for frame in frames if frame.index in pending])
    if len(pending) < len(frames):
        interact.info(f"{len(frames) - len(pending)} of {len(frames)} frames are merged already with these settings.")

    def write(job, image, mask):
        output.write(job.frame, image, mask)

    failed = []
    jobs = frame_jobs(request, frames, configs, pending)
    with interact.progress(len(frames), "Merging", len(frames) - len(pending)) as bar:
        for merged in merge_frames(jobs, networks, write, workers, batch_size(request), request.smooth_color):
            if merged.job.context:
                continue
            if note_outcome(merged, failed):
                output.note(merged.job.frame, merged.job.config)
            bar.update()
    return failed, len(pending)


def _ask_to_overwrite(request, output, frames):
    """Pictures that no merge wrote, or that were changed since, are replaced only after a yes."""
    foreign = output.foreign_frames(frames)
    if not foreign or request.overwrite:
        return
    question = f"Pictures of {counted(len(foreign), 'frame')} in {request.output_dir} were not written by this program. Overwrite them?"
    fate = ask_fate(question, "--overwrite")
    if fate is Fate.KEEP:
        raise UserError(f"{request.output_dir}: not merged. Move the old pictures away, or give --overwrite.")
    if fate is Fate.SET_ASIDE:
        interact.info(f"They are in {output.set_foreign_aside(foreign)} now.")


def _export(request, frames, configs):
    from merger.settings.settings_file import write_settings

    write_settings(request.export_settings, configs, [frame.path.name for frame in frames])
    interact.info(f"Settings are written to {request.export_settings}")


def _record_frames(request, frames):
    """Leave a list of all frames beside the results, so that a video of only some of them is noticed."""
    from core.video.sequence import record_frames

    for folder in (request.output_dir, request.output_mask_dir):
        record_frames(folder, [frame.stem for frame in frames])


def _record(request, model):
    """Leave a note of the model beside the merged frames, for the video that will be made of them."""
    from merger.merge_record import record_merge

    record_merge(request.output_dir, request.model_dir, request.model, model.name, faceset_folders(request))


def _report(failed, total):
    if not failed:
        return None
    names = ", ".join(path.name for path in failed[:_MOST_NAMED]) + (" …" if len(failed) > _MOST_NAMED else "")
    interact.error(f"{len(failed)} of {total} frames were not merged: {names}")
    return 1


def _wants_window(request):
    """Whether to merge interactively; that needs a display, someone to ask, and frames in a folder."""
    from core.window.picture_window import window_problem

    streamed = request.input_video is not None or request.output_video is not None
    if request.interactive:
        if streamed:
            raise UsageError(
                "--interactive works on folders; extract the frames of the video first (videoed extract-video)."
            )
        problem = window_problem()
        if problem is not None:
            raise UserError(f"the interactive merger opens no window here: {problem}. Leave out --interactive.")
        return True
    if request.interactive is False or streamed or not interact.has_terminal() or window_problem() is not None:
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


def _morph_power(request):
    if request.morph_factor is not None:
        return round(100 * request.morph_factor)
    if "morph_power" in request.tracks:
        return request.tracks["morph_power"].values[0]
    return round(100 * interact.ask_number("Morph factor", 1.0, 0.0, 1.0, "0.0 .. 1.0"))


def _workers(request):
    from core.parallel import cpu_count

    cores = cpu_count()
    if request.workers is not None:
        return request.workers
    help_text = "Number of threads that read, compose and write frames. More than there are cores does not help."
    return interact.ask_int("Number of workers?", min(max(8, cores), cores), 1, cores, help_text=help_text)
