"""Make two sample clips from public-domain portraits, standing in for ``data_src.mp4`` and ``data_dst.mp4``.

Each portrait is moved along a smooth random camera path, warped as a turning and talking head would look, lit by a
changing light, and given a sound track. Usage: ``make_demo_clips.py FOLDER [--frames 80] [--if-empty]``.
"""

import argparse
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.files.paths import VIDEO_EXTENSIONS
from core.video.ffmpeg import ffmpeg_program

PORTRAITS = Path(__file__).resolve().parent / "demo_portraits"
WIDTH, HEIGHT, FRAMES_PER_SECOND, SOUND_RATE = 640, 480, 25, 48000


@dataclass(frozen=True)
class Portrait:
    """A picture with one face: its centre and half height in pixels."""

    image: np.ndarray
    face_x: float
    face_y: float
    face_size: float


def astronaut():
    """Eileen Collins, NASA (public domain), carried by scikit-image."""
    import skimage.data

    return Portrait(skimage.data.astronaut()[:, :, ::-1].copy(), 224.0, 118.0, 62.0)


def grace_hopper():
    """Grace Hopper, US Navy (public domain)."""
    return Portrait(cv2.imread(str(PORTRAITS / "grace_hopper.jpg")), 268.0, 228.0, 108.0)


def smooth_path(random, frames, amplitude, waves=4):
    """A smooth curve through ``frames`` values: sines of random phase, at most about ``amplitude``."""
    time = np.linspace(0.0, 2.0 * np.pi, frames)
    terms = [
        np.sin(time * (0.5 + wave) + random.uniform(0, 2 * np.pi)) / (1 + wave) for wave in range(waves)
    ]  # fmt: skip
    curve = np.sum(terms, axis=0)
    return amplitude * curve / np.abs(curve).max()


def head_motion(grid_x, grid_y, portrait, turn, nod, mouth):
    """Where each output pixel of the portrait is taken from, for a head turned, nodding, with the mouth moved.

    The middle of the face moves further than its rim, as its distance from the axis of the head makes it, and the
    lower half opens by ``mouth`` (all in units of the face's half height).
    """
    size = portrait.face_size
    across, down = (grid_x - portrait.face_x) / size, (grid_y - portrait.face_y) / size
    depth = np.exp(-(across**2 / 1.1 + down**2 / 1.6))
    jaw = np.exp(-((across / 0.55) ** 2 + ((down - 0.75) / 0.40) ** 2))
    return grid_x - size * turn * depth, grid_y - size * (nod * depth + mouth * jaw)


def clip_frames(portrait, frames, seed):
    """Yield the (480, 640, 3) uint8 BGR frames of one clip."""
    random = np.random.default_rng(seed)
    scale = smooth_path(random, frames, 0.10) + 118.0 / portrait.face_size
    angle = smooth_path(random, frames, np.radians(9))
    shift_x, shift_y = smooth_path(random, frames, 55.0), smooth_path(random, frames, 22.0)
    turn, nod = smooth_path(random, frames, 0.13), smooth_path(random, frames, 0.07)
    mouth = np.abs(smooth_path(random, frames, 0.09, waves=9))
    light, side = smooth_path(random, frames, 0.12), smooth_path(random, frames, 0.15)
    grid_y, grid_x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for index in range(frames):
        cosine, sine = np.cos(angle[index]) / scale[index], np.sin(angle[index]) / scale[index]
        out_x = grid_x - WIDTH / 2 - shift_x[index]
        out_y = grid_y - HEIGHT / 2 - shift_y[index]
        source_x = portrait.face_x + cosine * out_x + sine * out_y
        source_y = portrait.face_y - sine * out_x + cosine * out_y
        source_x, source_y = head_motion(source_x, source_y, portrait, turn[index], nod[index], mouth[index])
        frame = cv2.remap(
            portrait.image, source_x.astype(np.float32), source_y.astype(np.float32), cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )  # fmt: skip
        gain = 1.0 + light[index] + side[index] * (grid_x / WIDTH - 0.5)
        yield np.clip(frame * gain[:, :, None] + 0.5, 0, 255).astype(np.uint8)


def sound(seconds, pitch, seed):
    """A gentle melody as (samples,) int16, fading in and out."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    notes = pitch * 2.0 ** (random.choice([0, 2, 4, 7, 9], size=int(seconds * 3) + 1) / 12.0)
    frequency = notes[np.minimum((time * 3).astype(int), len(notes) - 1)]
    tone = np.sin(2 * np.pi * np.cumsum(frequency) / SOUND_RATE) * (1.0 - (time * 3) % 1.0)
    fade = np.clip(np.minimum(time, time[-1] - time) * 4, 0, 1)
    return (tone * fade * 9000).astype(np.int16)


def write_clip(path, portrait, frames, seed, pitch):
    """Encode one clip as H.264 with AAC sound; it has its name only when it is whole."""
    samples = sound(frames / FRAMES_PER_SECOND, pitch, seed)
    track, unfinished = (path.with_name(f".{path.stem}.unfinished{suffix}") for suffix in (".wav", path.suffix))
    with wave.open(str(track), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(SOUND_RATE)
        stream.writeframes(samples.tobytes())
    command = [
        ffmpeg_program(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}",
        "-r", str(FRAMES_PER_SECOND), "-i", "pipe:0", "-i", str(track), "-c:v", "libx264", "-crf", "16",
        "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest", str(unfinished),
    ]  # fmt: skip
    encoder = subprocess.Popen(command, stdin=subprocess.PIPE)
    for frame in clip_frames(portrait, frames, seed):
        encoder.stdin.write(frame.tobytes())
    encoder.stdin.close()
    track_done = encoder.wait()
    track.unlink()
    if track_done != 0:
        sys.exit(f"ffmpeg could not write {path}")
    unfinished.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=80, help="frames a clip (default 80)")
    parser.add_argument("--if-empty", action="store_true", help="make none where the folder holds anything already")
    options = parser.parse_args()
    if options.if_empty and any(not path.name.startswith(".") for path in options.folder.glob("*")):
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, picture, seed, pitch in (("data_src", astronaut, 1, 262.0), ("data_dst", grace_hopper, 2, 196.0)):
        if not any(path.suffix.lower() in VIDEO_EXTENSIONS for path in options.folder.glob(f"{name}.*")):
            write_clip(options.folder / f"{name}.mp4", picture(), options.frames, seed=seed, pitch=pitch)


if __name__ == "__main__":
    main()
