"""Where merged frames go: folders of PNGs with a journal, or the parts of a video."""

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import FormatError, UserError
from core.files.imageio import encode_image, read_bgr, read_image
from core.files.paths import atomic_write
from core.files.temporary import remove_dead
from core.files.trash import set_aside, trash_folder_of
from core.video.writing.parts import VideoParts
from merger.frames import Frame
from merger.journal import Journal, file_stamp, frame_key
from merger.settings.config import MergeConfig


class FolderOutput:
    """Merged frames and masks as PNGs, and a note of the settings that each was made with.

    Parameters
    ----------
    output_dir, mask_dir : Path
    identity
        What all frames depend on besides their settings: the model, the options of the run.
    """

    def __init__(self, output_dir: Path, mask_dir: Path, identity: Any):
        for folder in (output_dir, mask_dir):
            remove_dead(folder)
        self.journal = Journal(output_dir, mask_dir)
        self._identity = identity
        self._bases: dict[str, str] = {}

    def key(self, frame: Frame, config: MergeConfig) -> str:
        """A text that changes when the result of the frame may change."""
        if frame.stem not in self._bases:
            motion = [frame.motion.degrees, frame.motion.power]
            self._bases[frame.stem] = frame_key(self._identity, frame.faces, motion, file_stamp(frame.path))
        return frame_key(self._bases[frame.stem], config.settings(), config.face_type)

    def is_done(self, frame: Frame, config: MergeConfig) -> bool:
        return self.journal.is_done(frame.stem, self.key(frame, config))

    def write(self, frame: Frame, image: np.ndarray, mask: np.ndarray) -> None:
        """Write both pictures; may be called from several threads for different frames."""
        frame_path, mask_path = self.journal.outputs(frame.stem)
        self.journal.begin(frame.stem)
        atomic_write(frame_path, encode_image(image, ".png"))
        atomic_write(mask_path, encode_image(mask, ".png"))

    def note(self, frame: Frame, config: MergeConfig) -> None:
        """Note that the pictures of the frame are written."""
        self.journal.add(frame.stem, self.key(frame, config))

    def load(self, frame: Frame) -> tuple[np.ndarray, np.ndarray] | None:
        """Merged frame and mask from disk; None when they cannot be read."""
        frame_path, mask_path = self.journal.outputs(frame.stem)
        try:
            image, mask = read_bgr(frame_path), read_image(mask_path)
        except FormatError:
            return None
        mask = mask if mask.ndim == 2 else mask[..., 0]
        return (image, mask) if mask.shape == image.shape[:2] else None

    def foreign(self, frames: list[Frame]) -> int:
        """How many of the frames have pictures that no merge wrote, or that were changed since."""
        return len(self.foreign_frames(frames))

    def foreign_frames(self, frames: list[Frame]) -> list[Frame]:
        """The frames of :meth:`foreign`."""
        return [frame for frame in frames if self.journal.is_foreign(frame.stem)]

    def set_foreign_aside(self, frames: list[Frame]) -> Path | None:
        """Move the pictures of frames to the trash folders; returns that of the merged frames."""
        for index in (1, 0):
            files = [self.journal.outputs(frame.stem)[index] for frame in frames]
            trash = set_aside([file for file in files if file.exists()])
        return trash or trash_folder_of(self.journal.output_dir)


class VideoOutput:
    """Merged frames into the parts of a video, in order; masks optionally as PNGs. A context manager.

    Parameters
    ----------
    parts : VideoParts
    mask_dir : Path, optional
    """

    def __init__(self, parts: VideoParts, mask_dir: Path | None = None):
        self._parts, self._mask_dir = parts, mask_dir
        self._size = parts.size
        self._writer: Any = None
        self._part: int | None = None
        self._last: np.ndarray | None = None
        self._failed = False
        self._waiting: list[Frame] = []

    def write_mask(self, frame: Frame, mask: np.ndarray) -> None:
        """Write a mask if masks are wanted; may be called from several threads."""
        if self._mask_dir is not None:
            atomic_write(mask_path(self._mask_dir, frame), encode_image(mask, ".png"))

    def add(self, frame: Frame, image: np.ndarray | None, is_merged: bool) -> None:
        """Encode the next frame of a part.

        Parameters
        ----------
        frame : Frame
        image : numpy.ndarray or None
            None (a frame that was lost) repeats the one before, so that the sound stays in step; at the start of the
            video the one after.
        is_merged : bool
            Whether all went well; a part with other frames is made again by the next run.
        """
        number = frame.index // self._parts.length
        if number != self._part:
            self._close()
            self._last = self._parts.last_frame(number - 1) if number and self._part != number - 1 else self._last
        if image is None:
            image = self._last
        if image is None:
            self._waiting.append(frame)
            self._part = number
            return
        waiting, self._waiting = self._waiting, []
        for earlier in waiting:
            self._encode(earlier, image, False)
        self._encode(frame, image, is_merged)

    def _encode(self, frame, image, is_merged):
        size = (image.shape[1], image.shape[0])
        self._size = self._size or size
        if size != self._size:
            raise UserError(
                f"{frame.path.name}: the merged frame is {size[0]}x{size[1]}, the video is {self._size[0]}x{self._size[1]}. "
                "Merge to a folder instead."
            )
        number = frame.index // self._parts.length
        if self._writer is None or number != self._part:
            self._close()
            self._part, self._failed = number, False
            self._writer = self._parts.open(number, size)
            self._writer.__enter__()
        self._writer.write(image)
        self._failed |= not is_merged
        self._last = image

    def _close(self):
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.__exit__(None, None, None)
            self._parts.close(self._part, self._size, self._last, self._failed)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self._close()
        elif self._writer is not None:
            self._writer.__exit__(kind, error, trace)


def mask_path(mask_dir: Path, frame: Frame) -> Path:
    """Where the mask of a frame goes."""
    return mask_dir / f"{frame.stem}.png"
