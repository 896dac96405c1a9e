"""Faces found, landmarks and processor time: every frame searched wholly, and faces followed between searched frames.

    python benchmarks/find_faces.py [--frames 48] [--scene NAME …]

The scenes are made of public-domain portraits that a script moves, turns and scales, so that it is known where each face is. The
landmarks of the portraits themselves were found once, at full size, and are moved along. Both searches run in turns on the same frames.

recall: faces found, of those that are there (intersection over union 0.4). false: others. error: mean distance of the landmarks to
where they belong, in parts of the distance between the outer corners of the eyes. ms: processor time of finding a frame's faces.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import skimage.data

from core.parallel import cpu_count
from facelib.face_type import FaceType
from facelib.finder_factory import make_finders
from facelib.tracks import BLOCK, FaceTracker

PORTRAITS = Path(__file__).resolve().parents[1] / "scripts" / "demo_portraits"
HD, FULL_HD = (1280, 720), (1920, 1080)


@dataclass(frozen=True)
class Portrait:
    """A cut-out head (H, W, 3) with soft mask and the 68 landmarks in it."""

    picture: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray


def portraits(finder):
    """The heads of Eileen Collins (NASA) and Grace Hopper (US Navy)."""
    pictures = [skimage.data.astronaut()[:, :, ::-1][0:300, 70:370], cv2.imread(str(PORTRAITS / "grace_hopper.jpg"))]
    found = []
    for picture in pictures:
        picture = np.ascontiguousarray(picture)
        [[face, *_]] = finder.find([picture])
        x, y = face.landmarks.mean(axis=0)
        size = np.ptp(face.landmarks, axis=0).max()
        mask = np.zeros(picture.shape[:2], np.float32)
        cv2.ellipse(mask, (int(x), int(y - 0.15 * size)), (int(0.85 * size), int(1.05 * size)), 0, 0, 360, 1.0, -1)
        found.append(Portrait(picture, cv2.GaussianBlur(mask, (0, 0), 0.06 * size), face.landmarks))
    return found


def place(frame, portrait, x, y, size, degrees):
    """Draw a head so that its landmarks span ``size`` pixels around (x, y); returns where the landmarks are."""
    center, span = portrait.landmarks.mean(axis=0), np.ptp(portrait.landmarks, axis=0).max()
    scale, angle = size / span, np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, np.array([x, y]) - linear @ center])
    shape = (frame.shape[1], frame.shape[0])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    source, mask, to_frame = portrait.picture, portrait.mask, matrix
    if scale < 0.5:  # warpAffine does not average over pixels
        source, mask = (
            cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for part in (source, mask)
        )
        to_frame = np.column_stack([linear / scale, matrix[:, 2]])
    picture = cv2.warpAffine(source, to_frame, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.warpAffine(mask, to_frame, shape)[..., None]
    frame[:] = np.clip(picture * soft + frame * (1 - soft), 0, 255)
    return portrait.landmarks @ matrix[:, :2].T + matrix[:, 2]


def scenes():
    """Name → size, and function (time 0…1) → heads as (portrait, x, y, size, degrees), in parts of the frame's height and width."""
    return {
        "one face 720p": (HD, lambda t: [(0, 0.3 + 0.4 * t, 0.5 + 0.1 * np.sin(9 * t), 0.35, 8 * np.sin(7 * t))]),
        "one face 1080p": (FULL_HD, lambda t: [(1, 0.3 + 0.4 * t, 0.5, 0.3, 10 * np.sin(5 * t))]),
        "small faces": (HD, lambda t: [(i % 2, 0.12 + 0.25 * i + 0.05 * t, 0.4 + 0.2 * (i % 2), 0.085, 5 * i) for i in range(4)]),
        "turning round": (HD, lambda t: [(0, 0.5, 0.5, 0.35, 360 * t)]),
        "many faces": (FULL_HD, lambda t: [(i % 2, 0.1 + 0.16 * i, 0.35 + 0.3 * (i % 2) + 0.05 * np.sin(6 * t + i), 0.16, 6 * np.sin(4 * t + i)) for i in range(6)]),
        "crossing": (HD, lambda t: [(0, 0.2 + 0.6 * t, 0.5, 0.3, 0), (1, 0.8 - 0.6 * t, 0.5, 0.28, 0)]),
        "coming and going": (HD, lambda t: [(0, 0.3, 0.5, 0.3, 0)] * (0.2 < t < 0.7) + [(1, 0.72, 0.5, 0.1, 0)] * (t > 0.45)),
        "cuts": (HD, lambda t: [(int(6 * t) % 2, 0.2 + 0.6 * ((7 * int(6 * t)) % 5) / 5, 0.5, 0.2 + 0.05 * (int(6 * t) % 3), 0)]),
    }  # fmt: skip


def film(scene, count, heads, cuts=False):
    """Frames of a scene and the landmarks that are in them; a head that another one covers is not counted.

    With ``cuts`` the background changes six times.
    """
    (width, height), at = scene
    random = np.random.default_rng(1)
    backgrounds = [
        cv2.GaussianBlur(cv2.resize(random.integers(40, 180, (height // 40, width // 40, 3), np.uint8), (width, height)), (0, 0), 3)
        for _ in range(3)
    ]  # fmt: skip
    frames, truth = [], []
    for number in range(count):
        time_now = number / count
        frame = backgrounds[int(6 * time_now) % 3 if cuts else 0].copy()
        placed = [
            place(frame, heads[which], x * width, y * height, size * height, degrees)
            for which, x, y, size, degrees in at(time_now)
        ]
        visible = [
            points for index, points in enumerate(placed)
            if all(np.abs(points.mean(0) - other.mean(0)).max() > 0.6 * np.ptp(points, axis=0).max() for other in placed[index + 1 :])
        ]  # fmt: skip
        frames.append(frame)
        truth.append(visible)
    return frames, truth


def search(finder, frames):
    """Every frame by itself."""
    return [finder.find([frame])[0] for frame in frames]


def follow(finder, frames):
    """As extraction does by default."""
    tracker, found = FaceTracker(finder), []
    for start in range(0, len(frames), BLOCK):
        behind = start + BLOCK
        first = found.pop() if start else finder.find([frames[0]])[0]
        after = finder.find([frames[behind]])[0] if behind < len(frames) else None
        found += tracker.find(frames[start : behind + (after is not None)], first, after)
        if after is not None:
            found.append(after)
    return found[: len(frames)]


def judge(found, truth):
    """(faces there, found of them, false ones, landmark errors)."""
    there = hit = false = 0
    errors = []
    for faces, wanted in zip(found, truth, strict=True):
        left = [face.landmarks for face in faces if face.landmarks is not None]
        there += len(wanted)
        for points in wanted:
            best = max(left, key=lambda other: _overlap(points, other), default=None)
            if best is not None and _overlap(points, best) >= 0.4:
                hit += 1
                left = [other for other in left if other is not best]
                errors.append(np.linalg.norm(best - points, axis=1).mean() / np.linalg.norm(points[45] - points[36]))
        false += len(left)
    return there, hit, false, errors


def _overlap(first, second):
    boxes = [(*points.min(axis=0), *points.max(axis=0)) for points in (first, second)]
    width = min(boxes[0][2], boxes[1][2]) - max(boxes[0][0], boxes[1][0])
    height = min(boxes[0][3], boxes[1][3]) - max(boxes[0][1], boxes[1][1])
    common = max(0, width) * max(0, height)
    return common / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in boxes) - common)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--scene", nargs="*", help="only these")
    options = parser.parse_args()
    finder = make_finders("embedded", FaceType.WHOLE_FACE)[0][0]
    heads = portraits(finder)
    table = scenes()
    print(f"{options.frames} frames a scene, {cpu_count()} cores; every frame searched | faces followed")
    print(
        f"{'scene':18s} {'faces':>5s} | {'recall':>6s} {'false':>5s} {'error':>6s} {'ms':>6s} | {'recall':>6s} {'false':>5s} {'error':>6s} {'ms':>6s}"
    )
    for name in options.scene or table:
        frames, truth = film(table[name], options.frames, heads, cuts=name == "cuts")
        cells = []
        for way in (search, follow):
            way(finder, frames[:2])
            start = time.process_time()
            found = way(finder, frames)
            spent = (time.process_time() - start) * 1000 / len(frames)
            there, hit, false, errors = judge(found, truth)
            error = f"{100 * np.mean(errors):5.2f}%" if errors else "     –"
            cells.append(f"{hit / max(there, 1):6.1%} {false:5d} {error} {spent:6.1f}")
        print(f"{name:18s} {there:5d} | {cells[0]} | {cells[1]}", flush=True)


if __name__ == "__main__":
    main()
