"""Running the interactive merger: the state machine, threads that merge, a window, and the session on disk."""

import functools
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from core.console import interact
from core.files.imageio import read_bgr
from core.window.keys import ESCAPE, Key
from merger.frames import Frame
from merger.interactive.color_tracks import ColorTracks
from merger.interactive.session import write_session
from merger.interactive.state import FrameState, InteractiveMerger
from merger.interactive.window import error_picture
from merger.output import FolderOutput
from merger.pipeline import Job, copy_frame, merge_image
from merger.predictor import Networks, SharedNetworks
from merger.settings.config import MergeConfig
from merger.settings.settings_file import write_settings

_TICK_SECONDS = 0.01
_SAVE_SECONDS = 2.0
_FAR_AHEAD = 4


class InteractiveRun:
    """One run of the interactive merger.

    Parameters
    ----------
    frames : sequence of Frame
    states : sequence of FrameState
    position : int
        See :func:`merger.interactive.session.resume`.
    default : MergeConfig
    networks : Networks
    output : FolderOutput
    session_path : Path
        Written whenever something has changed, at most every two seconds, and at the end.
    settings_path : Path
        Where the key 0 writes the settings of all frames.
    iteration : int
        Of the model.
    workers : int
        Threads, and how many frames are prepared in advance.
    steady_colors : bool
        Filter the colours that colour transfer aims at over the neighbouring frames, with the settings that those have
        at the moment (or the frame's own, where they have none yet).
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        states: Sequence[FrameState],
        position: int,
        default: MergeConfig,
        networks: Networks,
        output: FolderOutput,
        session_path: Path,
        settings_path: Path,
        iteration: int,
        workers: int,
        steady_colors: bool = False,
        lacks: Callable[[MergeConfig], str | None] = lambda config: None,
    ):
        self.merger = InteractiveMerger(
            states, default, workers, position, interact.info, lambda index: output.load(frames[index]), lacks
        )
        self.failed: list[Path] = []
        self._frames, self._output, self._workers = frames, output, workers
        self._networks = SharedNetworks(networks, capacity=_FAR_AHEAD * workers + 32)
        self._tracks = ColorTracks(frames, self._networks) if steady_colors else None
        self._session_path, self._settings_path, self._iteration = session_path, settings_path, iteration
        self._running: dict[int, Future] = {}
        self._saved: tuple | None = None
        self._saved_at = 0.0
        self._exported: bytes | None = None

    def run(self, window: Any) -> None:
        """Go on until Esc or until the window is closed.

        Parameters
        ----------
        window
            Has ``show(merger)``, ``poll(seconds)`` → list of :class:`core.window.keys.Key`, and ``close()``.
        """
        merger = self.merger
        pressed: deque[Key] = deque()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="merger")
        try:
            with interact.progress(len(self._frames), "Merging", merger.position) as bar:
                while True:
                    self._step(pool)
                    if bar.count != merger.position:
                        bar.update(merger.position - bar.count)
                    window.show(merger)
                    if merger.quitting and not self._running:
                        break
                    pressed.extend(window.poll(_TICK_SECONDS))
                    self._handle(pressed)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._save()
            window.close()
        interact.info(f"Session is saved to {self._session_path.parent.name}/{self._session_path.name}")

    def _handle(self, pressed):
        """Hand keys to the state in the order in which they were pressed; Esc does not wait for those before it."""
        if any(key.character == ESCAPE for key in pressed):
            pressed.clear()
            self.merger.key(ESCAPE)
        while pressed and self.merger.accepts(pressed[0].character):
            self.merger.key(*pressed.popleft())
            while self.merger.tick():
                pass

    def _step(self, pool):
        for index in [index for index, future in self._running.items() if future.done()]:
            self._take(index, self._running.pop(index))
        for index in self.merger.wanted():
            if len(self._running) >= self._workers:
                break
            config = self.merger.started(index)
            self._running[index] = pool.submit(self._merge, index, config, self._near_configs(index, config))
        while self.merger.tick():
            pass
        while self.merger.exports:
            self.export(linear=self.merger.exports.pop())
        if time.monotonic() - self._saved_at > _SAVE_SECONDS:
            self._save()

    def _near_configs(self, index, config):
        """Settings of the frames whose colours count; taken here, as keys change them while the threads run."""
        near = self._tracks.reach(index) if self._tracks is not None else ()
        return {other: self.merger.frames[other].config or config for other in near}

    def _merge(self, index, config, near):
        """Merge and write a frame; returns its pictures and what went wrong, if anything."""
        frame = self._frames[index]
        job, error, neighbours = Job(frame, config), None, None
        if self._tracks is not None:
            neighbours = functools.partial(self._tracks.filtered, index, near)
        for _ in range(2):
            try:
                image, mask = merge_image(job, self._networks, neighbours)
                self._output.write(frame, image, mask)
                return image, mask, None
            except Exception as failure:
                error = failure
        image, mask = copy_frame(read_bgr(frame.path), config, self._networks.resolution)
        self._output.write(frame, image, mask)
        return image, mask, error

    def _take(self, index, future):
        frame = self._frames[index]
        config = self.merger.frames[index].in_work
        try:
            image, mask, error = future.result()
        except Exception as failure:
            image, mask, error = None, None, failure
        if error is not None:
            if frame.path not in self.failed:
                self.failed.append(frame.path)
            interact.error(
                f"Error while merging file [{frame.path}]: {type(error).__name__}: {error}; the frame is copied."
            )
        elif frame.path in self.failed:
            self.failed.remove(frame.path)
        if image is None:
            image, mask = error_picture(f"{frame.path.name} cannot be merged")
        elif error is None:
            self._output.note(frame, config)
            if not frame.faces and config.mode != "raw-predict":
                interact.info(f"no faces found for {frame.path.name}, copying without faces")
        self.merger.finished(index, (image, mask), None if error is None else _in_one_line(error))

    def export(self, linear: bool) -> None:
        """Write the settings of all frames; frames without settings have those of the frame before them."""
        merger = self.merger
        last: Any = merger.frames[0].config
        configs = [last := state.config or last for state in merger.frames]
        names = [state.name for state in merger.frames]
        self._exported = write_settings(self._settings_path, configs, names, linear, self._exported)
        interact.info(f"Settings of all frames are written to {self._settings_path}")

    def _save(self):
        merger = self.merger
        state = merger.position, merger.changes
        self._saved_at = time.monotonic()
        if state == self._saved:
            return
        write_session(self._session_path, merger.frames, merger.position, self._iteration)
        self._saved = state


def _in_one_line(error):
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
