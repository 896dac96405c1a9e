"""``merge --output-video``: merged frames straight into a video, in parts from which an interrupted run goes on."""

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from core.console import interact
from merger.run.common import (
    CONTEXT_FRAMES,
    batch_size,
    faceset_folders,
    frame_jobs,
    note_outcome,
    run_identity,
)
from merger.run.request import MergeRequest

PART_FRAMES = 250
_DEFAULT_RATE = 25


def merge_to_video(
    request: MergeRequest, frames: list, configs: list, networks: Any, model: Any, workers: int
) -> tuple[list[Path], int]:
    """Merge into an encoder what is not in finished parts; returns the failed paths and how many frames were tried."""
    from core.provenance.replaced_result import keeping_video_of_others
    from core.video.writing.encoders import check_container, check_writable_folder
    from merger.output import VideoOutput
    from merger.pipeline import merge_frames

    video = cast(Path, request.output_video)
    check_container(video.suffix.lower())
    check_writable_folder(video)
    with keeping_video_of_others(video), _video_target(request, model) as (target, metadata):
        parts, sound = _open_parts(request, frames, configs, model)
        pending = _pending(request, parts, frames)
        if len(pending) < len(frames):
            interact.info(
                f"{len(frames) - len(pending)} of {len(frames)} frames are merged already with these settings."
            )
        output = VideoOutput(parts, request.output_mask_dir)

        def write(job, image, mask):
            output.write_mask(job.frame, mask)
            return image

        failed: list[Path] = []
        jobs = frame_jobs(request, frames, configs, pending)
        with output, interact.progress(len(frames), "Merging", len(frames) - len(pending)) as bar:
            for merged in merge_frames(jobs, networks, write, workers, batch_size(request), request.smooth_color):
                if not merged.job.context:
                    output.add(merged.job.frame, merged.written, note_outcome(merged, failed))
                    bar.update()
        parts.join(target, sound, metadata)
    parts.remove()
    return failed, len(pending)


def _open_parts(request, frames, configs, model):
    """The parts with rate, colours and pixel shape of the input video, and its sound."""
    from core.video.steps import read_reference
    from core.video.writing.parts import VideoParts

    if request.input_video is None:
        rate, colour, aspect, times, sound = _DEFAULT_RATE, None, 1, None, None
    else:
        reference = read_reference(request.input_video)
        info = reference.info
        sound = reference.sound
        times = None if reference.rate is not None else reference.times
        rate = reference.rate if reference.rate is not None else info.fps
        colour, aspect = reference.colour(request.hdr == "keep"), info.display_pixel_aspect
    keys = _keys(request, frames, configs, model, [rate, colour, aspect, times])
    return VideoParts(request.output_video, keys, PART_FRAMES, rate, colour, aspect, times), sound


def _keys(request, frames, configs, model, coding):
    """A text for each part that changes when its frames or their coding change."""
    from merger.journal import file_stamp, frame_key

    source = file_stamp(request.input_video) if request.input_video is not None else None
    base = frame_key("parts", run_identity(request, model), source, request.output_video.suffix.lower(), coding)
    singles = [
        frame_key(
            frame.stem, frame.faces, vars(frame.motion), file_stamp(frame.path), config.settings(), config.face_type
        )
        for frame, config in zip(frames, configs, strict=True)
    ]
    reach = CONTEXT_FRAMES if request.smooth_color else 0
    starts = range(0, len(frames), PART_FRAMES)
    return [frame_key(base, singles[max(0, start - reach) : start + PART_FRAMES + reach]) for start in starts]


def _pending(request, parts, frames):
    """Indices of the frames whose part is not finished, or lacks a mask."""
    from merger.output import mask_path

    pending = set()
    for number, start in enumerate(range(0, len(frames), parts.length)):
        own = frames[start : start + parts.length]
        masks = request.output_mask_dir
        whole = masks is None or all(mask_path(masks, frame).is_file() for frame in own)
        if request.overwrite or not whole:
            parts.forget(number)
        if not parts.is_done(number):
            pending.update(frame.index for frame in own)
    return pending


def _video_target(request, model):
    """Context manager of the path to write the video to and its metadata; marks the video unless switched off."""
    if request.no_provenance:
        interact.warning("--no-provenance: the video will carry no note that a machine-learning model made it.")
        return nullcontext((request.output_video, None))
    return _marked(request, model)


def _marked(request, model):
    from core.provenance.certificate import load_certificate
    from core.provenance.manifest import Story, check_library, marked, metadata_of
    from merger.merge_record import consents_of
    from models.saved.model_hash import hash_model

    check_library()
    consents = tuple(consents_of(faceset_folders(request)))
    story = Story(
        request.input_video, model=hash_model(request.model_dir, request.model, model.name), consents=consents
    )

    @contextmanager
    def target():
        with marked(request.output_video, load_certificate(None, None), story) as path:
            yield path, metadata_of(request.output_video)

    return target()
