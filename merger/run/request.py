"""What a merge was asked for, settled before any work begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.engines import AUTO, DEFAULT_PLACE, Place


@dataclass(frozen=True)
class MergeRequest:
    """One merge.

    Parameters
    ----------
    model_dir, model : Path, str
        Folder of the models, and the kind of the model, for example ``SAEHD``.
    aligned_dir : Path
        Faces of the destination.
    input_dir, input_video : Path, optional
        Where the frames come from, exactly one of them.
    output_dir, output_mask_dir, output_video : Path, optional
        Where the results go: a folder, or a video, with masks in any case where there is a folder for them.
    force_model_name : str, optional
        Name of the model; asked for if left out.
    hdr : 'tonemap' or 'keep'
    values, tracks : mapping
        Settings by name in stored form, and tracks of keyframes (:mod:`merger.settings.settings_file`); the rest is asked.
    interactive, use_session, allow_pretraining : bool, optional
        Asked for if left out.
    morph_factor : float, optional
        0…1, for models that morph; asked for if left out.
    workers : int, optional
        Threads; asked for if left out.
    batch_size : int
        Faces in one call of the network, on each device.
    export_settings : Path, optional
        Where the settings used are written to.
    report : bool
        Write a page about the merged frames beside their folder.
    overwrite, force : bool
        Merge finished frames again; merge although the faces seem to be cut out of other frames.
    keep, keep_likeness
        As of :class:`samplelib.extraction.request.ExtractRequest`: whose faces are swapped.
    smooth_landmarks : float, optional
        By how much the jitter of still faces is divided.
    restore_network : str, optional
        Name of a registered restorer, for the setting ``restore_power``.
    smooth_color, subpixel_motion, masked_statistics, full_range_enhancer, no_provenance : bool
        As the flags of these names.
    engine, provider, cpu_only, force_gpu_idxs
        What :func:`core.device_choice.choose_places` takes.
    places : tuple of Place
        The devices, once they are chosen.
    """

    model_dir: Path
    model: str
    aligned_dir: Path
    input_dir: Path | None = None
    input_video: Path | None = None
    output_dir: Path | None = None
    output_mask_dir: Path | None = None
    output_video: Path | None = None
    force_model_name: str | None = None
    hdr: str = "tonemap"
    values: Mapping[str, Any] = field(default_factory=dict)
    tracks: Mapping[str, Any] = field(default_factory=dict)
    interactive: bool | None = None
    use_session: bool | None = None
    allow_pretraining: bool | None = None
    morph_factor: float | None = None
    workers: int | None = None
    batch_size: int = 8
    export_settings: Path | None = None
    report: bool = False
    overwrite: bool = False
    force: bool = False
    keep: tuple[Path, ...] | list[Path] = ()
    keep_likeness: float | None = None
    smooth_landmarks: float | None = None
    restore_network: str | None = None
    smooth_color: bool = False
    subpixel_motion: bool = False
    masked_statistics: bool = False
    full_range_enhancer: bool = False
    no_provenance: bool = False
    engine: str = AUTO
    provider: str | None = None
    cpu_only: bool = False
    force_gpu_idxs: tuple[int, ...] | list[int] | None = None
    places: tuple[Place, ...] = (DEFAULT_PLACE,)
