"""Filtered target colours for the interactive merger, which takes frames in any order."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from merger.frames import Frame
from merger.pipeline import Job, frame_colors
from merger.predictor import Networks
from merger.settings.config import MergeConfig
from merger.smoothing import COLOR_REACH, ColoredFace, filtered_colors

_SETTINGS = (
    "mode", "mask_mode", "erode_mask_modifier", "blur_mask_modifier", "super_resolution_power", "restore_power", "two_pass_mode",
    "pre_sharpen_power", "morph_power",
)  # fmt: skip
_CAPACITY = 1024


class ColorTracks:
    """Measures the faces of neighbouring frames once and remembers their colours. For several threads.

    Parameters
    ----------
    frames : sequence of Frame
    networks : Networks
    """

    def __init__(self, frames: Sequence[Frame], networks: Networks):
        self._frames, self._networks = frames, networks
        self._known: OrderedDict[tuple, list[ColoredFace]] = OrderedDict()
        self._guard = threading.Lock()

    def reach(self, index: int) -> range:
        """The frames whose colours count for a frame."""
        return range(max(0, index - COLOR_REACH), min(index + COLOR_REACH + 1, len(self._frames)))

    def filtered(self, index: int, configs: Mapping[int, MergeConfig], colored: list[ColoredFace]) -> list[np.ndarray]:
        """Statistics that the colour transfer of each face of a frame shall aim at.

        Parameters
        ----------
        index : int
        configs : mapping
            Settings of all frames in :meth:`reach`.
        colored : list of ColoredFace
            The frame's own faces.
        """
        near = self.reach(index)
        faces = [colored if other == index else self._colors(other, configs[other]) for other in near]
        return filtered_colors(faces, index - near.start)

    def _colors(self, index, config):
        key = (index, *(getattr(config, name) for name in _SETTINGS))
        with self._guard:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        colors = frame_colors(Job(self._frames[index], config), self._networks)
        with self._guard:
            self._known[key] = colors
            while len(self._known) > _CAPACITY:
                self._known.popitem(last=False)
        return colors
