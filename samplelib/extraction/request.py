"""What an extraction was asked for."""

from dataclasses import dataclass
from pathlib import Path

from core.engines import AUTO, Place

# Behind the name of the folder of faces: where those of other persons go.
OTHERS_ENDING = "_others"
SIZE_RANGE, QUALITY_RANGE = (256, 2048), (1, 100)


@dataclass(frozen=True)
class ExtractRequest:
    """One extraction. What is None is asked for.

    Parameters
    ----------
    output_dir : Path
        Folder of the faces, made if missing.
    input_dir, input_video : Path, optional
        Where the frames come from, exactly one of them.
    detector : str, optional
        ``s3fd``, ``manual``, ``embedded``, or the name of a registered network.
    landmarks : str, optional
        Name of a registered landmark network.
    face_type : str, optional
        Text of a :class:`facelib.face_type.FaceType`.
    max_faces_from_image : int, optional
        Largest faces kept of a frame; 0 keeps all.
    image_size, jpeg_quality : int, optional
        Within :data:`SIZE_RANGE` and :data:`QUALITY_RANGE`.
    min_face_size : int
        Side of the smallest face, in pixels of the frame.
    interpolation : 'linear', 'cubic' or 'lanczos'
    fill_gaps : 'search' or 'interpolate', optional
        Search again for faces that were missed between two frames; or also put them in where they are not seen.
    thorough : bool
        Search every frame wholly instead of following faces (embedded finder).
    keep : sequence of Path
        Pictures of the one person whose faces are wanted, or folders of them; all faces if empty.
    keep_likeness : float, optional
        Least likeness that counts; that of the recognition network if left out.
    output_debug : bool, optional
        Write frames with drawings to ``<output_dir>_debug``.
    manual_fix, manual_output_debug_fix : bool
        Mark by hand where no face was found, or where the debug picture was deleted.
    manual_window_size : int
        Width of the window in pixels; 0 is that of the frame.
    go_on : bool, optional
        Go on with an earlier run, or start again.
    hdr : 'tonemap' or 'keep'
    engine, provider, cpu_only, force_gpu_idxs
        What :func:`core.device_choice.choose_places` takes.
    places : tuple of Place
        The devices, once they are chosen.
    """

    output_dir: Path
    input_dir: Path | None = None
    input_video: Path | None = None
    detector: str | None = None
    landmarks: str | None = None
    face_type: str | None = None
    max_faces_from_image: int | None = None
    image_size: int | None = None
    jpeg_quality: int | None = None
    min_face_size: int = 40
    interpolation: str = "linear"
    thorough: bool = False
    fill_gaps: str | None = None
    keep: tuple[Path, ...] | list[Path] = ()
    keep_likeness: float | None = None
    output_debug: bool | None = None
    manual_fix: bool = False
    manual_output_debug_fix: bool = False
    manual_window_size: int = 1368
    go_on: bool | None = None
    hdr: str = "tonemap"
    engine: str = AUTO
    provider: str | None = None
    cpu_only: bool = False
    force_gpu_idxs: list[int] | None = None
    places: tuple[Place, ...] = ()
