"""What a merge to a folder and one to a video have in common: the run's identity, its jobs, and what became of a frame."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from core.console import interact
from core.errors import UserError
from merger.run.request import MergeRequest

CONTEXT_FRAMES = 12
"""How far steady colours look to both sides of a frame."""


def restorer_identity(name: str) -> str:
    """Which network a name of the registry stands for: its SHA-256."""
    from facelib.registry.entries import entry_of
    from facelib.registry.kinds import RESTORER

    return str(entry_of(name, RESTORER).sha256)


def run_identity(request: MergeRequest, model: Any) -> list:
    """What all frames of a run depend on, besides their settings."""
    run = [request.smooth_landmarks, request.smooth_color, str(request.input_video or "")]
    run += [name for name in ("masked_statistics", "full_range_enhancer") if getattr(request, name)]
    run += [f"restored by {restorer_identity(request.restore_network)}"] if request.restore_network else []
    run += ["hdr"] if request.hdr == "keep" else []
    return [request.model, model.name, model.iteration, run]


def faceset_folders(request: MergeRequest) -> list[Path]:
    """The destination's faces, and the source's where the workspace has the usual names."""
    source = request.aligned_dir.parent.parent / "data_src" / "aligned"
    return [folder for folder in (source, request.aligned_dir) if folder.is_dir()]


def batch_size(request: MergeRequest) -> int:
    """Faces in one call, over all devices."""
    return request.batch_size * len(request.places)


def frame_jobs(request: MergeRequest, frames: list, configs: list, pending: Collection[int]) -> Iterator:
    """Jobs of the pending frames; with steady colours also of their neighbours, which are only looked at."""
    from merger.pipeline import Job

    wanted = set(pending)
    if request.smooth_color:
        reach = range(-CONTEXT_FRAMES, CONTEXT_FRAMES + 1)
        wanted = {index + step for index in pending for step in reach if 0 <= index + step < len(frames)}
    if request.input_video is None:
        for index in sorted(wanted):
            yield Job(frames[index], configs[index], context=index not in pending)
        return
    from core.video.frames import probe, read_frames
    from core.video.steps import tell_hdr

    keep_hdr = request.hdr == "keep"
    tell_hdr(probe(request.input_video), keep_hdr)
    for frame, image in zip(frames, read_frames(request.input_video, len(frames), keep_hdr=keep_hdr), strict=False):
        if frame.index in wanted:
            yield Job(frame, configs[frame.index], image, frame.index not in pending)


def note_outcome(merged: Any, failed: list[Path]) -> bool:
    """Say what happened to a frame; True if it was merged."""
    frame, config = merged.job.frame, merged.job.config
    if merged.error is not None:
        failed.append(frame.path)
        fate = "nothing is written" if merged.lost else "the frame is copied"
        interact.error(f"Error while merging file [{frame.path}]: {_one_line(merged.error)}; {fate}.")
        return False
    if not frame.faces and config.mode != "raw-predict":
        interact.info(f"no faces found for {frame.path.name}, copying without faces")
    return True


def _one_line(error):
    text = str(error).strip().splitlines()
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return kind + (text[0] if text else "")
