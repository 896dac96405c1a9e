"""Train XSeg on labelled faces that differ much, and measure its masks on faces that it never saw.

Run from the repository: ``python benchmarks/xseg_train.py PICTURES WORK_FOLDER [--iterations 300,600,900]``.

PICTURES is a folder of photographs with one face each; what stands before the first ``_`` of a file name names the person
(``anna_1.jpg`` and ``anna_2.jpg`` are one person, ``bert.jpg`` is another). From each face many labelled whole-face pictures
are made: turned, shrunk, shifted, mirrored, lit otherwise, and partly covered by hands, boxes and balls which exclude polygons
cut out of the label (``--variation`` and ``--covered`` say how much). Some persons are kept out of training altogether.
With ``--unseen-persons 0`` and frames of a few clips that is the usual work: label some faces of a faceset, mask the others.
Everything goes through ``main.py``: extract, xseg suggest, train, xseg apply. Prints the intersection over union (IoU) of
applied masks and labels on the faces that were held out, beside that of the best constant mask; fails unless it ends above
0.9. Faces of labelled persons and of the others are also scored apart. Of several pictures of a person
the last third is held out and not trained on.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.files.imageio import read_bgr
from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from facelib.landmarks import mirror
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon, read_metadata, save_face
from xseglib.mesh_mask import outlines_of_mask

SIZE = 256
WANTED = 0.9
ROTATION, SHIFT, SMALLER, LARGER = 20.0, 0.06, 0.25, 0.1
SHEET_FACES = 12


def main():
    """Make the set, train in stages, score after each; exit code 1 when the last score is too low."""
    flags = parse_flags()
    train, held_out = flags.work / "train", flags.work / "held_out"
    if not held_out.exists():
        make_set(flags)
    else:
        print(f"Going on with the faces and the model in {flags.work}.")
    labels, unseen = held_out_labels(held_out)
    constant = constant_score(train, labels)
    print(f"{len(faces(train))} labelled faces for training, {len(labels)} held out, {unseen.sum()} of unseen persons.")
    print(f"best constant mask: IoU {constant:.3f}\n")
    print("iteration  minutes   mean   lowest   seen persons   unseen persons")
    started = time.perf_counter()
    for iterations in flags.iterations:
        run_training(flags, train, iterations)
        scores = apply_and_score(flags, held_out, labels)
        minutes = (time.perf_counter() - started) / 60
        print(
            f"{iterations:9d} {minutes:8.1f} {scores.mean():6.3f} {scores.min():8.3f} {scores[~unseen].mean():14.3f} "
            + (f"{scores[unseen].mean():16.3f}" if unseen.any() else f"{'-':>16}"),
            flush=True,
        )
    print(f"\nPictures, labels and masks of held-out faces: {write_sheet(flags.work, held_out, labels)}")
    return 0 if scores.mean() > WANTED else 1


def parse_flags():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=Path, help="photographs, one face each")
    parser.add_argument("work", type=Path, help="folder for faces and model; a second run goes on with them")
    numbers = lambda text: [int(number) for number in text.split(",")]  # noqa: E731
    parser.add_argument("--iterations", type=numbers, default=[300, 600, 900], help="when to score, a list")
    parser.add_argument("--batch-size", type=int, default=2, help="2 to 16")
    parser.add_argument("--train-faces", type=int, default=40)
    parser.add_argument("--held-out-faces", type=int, default=24)
    parser.add_argument("--unseen-persons", type=int, default=3, help="persons that training never sees, 0 or more")
    parser.add_argument("--variation", type=float, default=0.3, help="1: up to 20 degrees, 6 %% aside, 25 %% smaller")
    parser.add_argument("--covered", type=float, default=0.0, help="part of the faces that something covers, 0 to 1")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def run(*arguments):
    """Run ``main.py``; its output is shown only when it fails."""
    program = [sys.executable, str(Path(__file__).parents[1] / "main.py"), *map(str, arguments)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    if result.returncode:
        sys.exit(f"{' '.join(program)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def run_training(flags, train, iterations):
    """Train up to an iteration."""
    run(
        "train", "--model", "XSeg", "--model-dir", flags.work / "model",
        "--training-data-src-dir", train / "src", "--training-data-dst-dir", train / "dst",
        "--set", "face_type=wf", "--set", f"batch_size={flags.batch_size}",
        "--target-iter", iterations, "--no-preview", "--cpu-only", "--yes",
        "--save-every", 50, "--log-file", flags.work / "training.log",
    )  # fmt: skip


def apply_and_score(flags, held_out, labels):
    """IoU of each held-out face between applied mask and label."""
    run("xseg", "apply", "--input-dir", held_out, "--model-dir", flags.work / "model", "--cpu-only", "--restart")
    masks = [read_metadata(path).decode_xseg_mask()[..., 0] > 0.5 for path in faces(held_out)]
    return np.array([iou(mask, label) for mask, label in zip(masks, labels)])


def make_set(flags):
    """Extract, propose labels, and write the varied faces of both sets."""
    bases = flags.work / "bases"
    run(
        "extract", "--input-dir", flags.pictures, "--output-dir", bases, "--detector", "embedded", "--face-type", "head",
        "--image-size", 512, "--max-faces-from-image", 1, "--min-face-size", 20, "--yes",
    )  # fmt: skip
    run("xseg", "suggest", "--input-dir", bases)
    persons = {}
    for path in faces(bases):
        if read_metadata(path).polygons:
            persons.setdefault(path.name.split("_")[0], []).append(path)
    if len(persons) < flags.unseen_persons + 2:
        sys.exit(f"{flags.pictures}: only {len(persons)} persons with a face were found; more pictures are needed.")
    random = np.random.default_rng(flags.seed)
    names = list(random.permutation(sorted(persons)))
    unseen, seen = names[: flags.unseen_persons], names[flags.unseen_persons :]
    everyone = [path for paths in persons.values() for path in paths]
    held_out_unseen = (flags.held_out_faces + 1) // 2 if unseen else 0
    plans = (
        ("train/src", seen[::2], flags.train_faces // 2),
        ("train/dst", seen[1::2], flags.train_faces - flags.train_faces // 2),
        ("held_out", seen, flags.held_out_faces - held_out_unseen),
        ("held_out", unseen, held_out_unseen),
    )
    for folder, people, count in plans:
        (flags.work / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            person = people[number % len(people)]
            pictures = pictures_for(folder, persons[person])
            base = pictures[(number // len(people)) % len(pictures)]
            kind = "unseen" if person in unseen else "seen"
            path = flags.work / folder / f"{kind}_{person}_{number:03d}.jpg"
            write_variant(path, base, everyone, random, flags)


def pictures_for(folder, pictures):
    """The part of a person's pictures that is trained on or held out: the last third; a single picture serves both."""
    first_held_out = len(pictures) - (len(pictures) + 1) // 3
    if folder == "held_out":
        return pictures[first_held_out:] or pictures
    return pictures[:first_held_out]


def write_variant(path, base, everyone, random, flags):
    """One labelled face: the base moved at random, mirrored or not, lit otherwise and partly covered."""
    picture, metadata = read_bgr(base), read_metadata(base)
    landmarks, outline = metadata.landmarks, metadata.polygons[0].points
    if random.uniform() < 0.5:
        width = picture.shape[1]
        picture, landmarks = picture[:, ::-1], mirror(landmarks, width)
        outline = np.column_stack([width - 1 - outline[:, 0], outline[:, 1]])
    matrix = random_matrix(landmarks, random, flags.variation)
    moved = cv2.warpAffine(picture, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    moved = np.clip(moved * random.uniform(0.6, 1.3) * random.uniform(0.85, 1.15, 3), 0, 255).astype(np.uint8)
    landmarks, outline = transform_points(landmarks, matrix), transform_points(outline, matrix)
    polygons = [SegPolygon(True, outline)]
    for _ in range(random.integers(1, 3) if random.uniform() < flags.covered else 0):
        area = random_area(outline, random)
        texture = random_texture(read_bgr(random.choice(everyone)), random)
        moved = np.where(area[..., None] > 0, texture, moved)
        polygons += [SegPolygon(False, points) for points in outlines_of_mask(area, 0.7)]
    save_face(path, moved, FaceMetadata("whole_face", landmarks, base.name, polygons=tuple(polygons)))


def random_matrix(landmarks, random, variation):
    """(2, 3) from the base picture to a whole-face picture that is turned, shrunk and shifted."""
    aligned = np.vstack([face_matrix(landmarks, SIZE, FaceType.WHOLE_FACE), (0, 0, 1)])
    scale = 1 + variation * random.uniform(-SMALLER, LARGER)
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), variation * random.uniform(-ROTATION, ROTATION), scale)
    turn[:, 2] += variation * random.uniform(-SHIFT, SHIFT, 2) * SIZE
    return turn @ aligned


def random_area(outline, random):
    """(SIZE, SIZE) uint8: a hand, a box or a ball somewhere on the face; 1 inside."""
    area = np.zeros((SIZE, SIZE), np.uint8)
    low, high = outline.min(axis=0), outline.max(axis=0)
    center, extent = random.uniform(low, high), (high - low).mean()
    degrees = random.uniform(0, 360)
    kind = random.integers(3)
    if kind == 0:
        draw_hand(area, center, 0.5 * extent, np.radians(degrees), random)
    elif kind == 1:
        box = (tuple(map(float, center)), tuple(map(float, extent * random.uniform(0.2, 0.5, 2))), float(degrees))
        cv2.fillPoly(area, [np.rint(cv2.boxPoints(box)).astype(np.int32)], 1)
    else:
        axes = np.rint(extent * random.uniform(0.1, 0.27, 2)).astype(int)
        cv2.ellipse(area, tuple(np.rint(center).astype(int).tolist()), tuple(axes.tolist()), degrees, 0, 360, 1, -1)
    return area


def draw_hand(area, center, length, angle, random):
    """A palm with three to five spread fingers."""
    palm = np.rint(center).astype(int)
    cv2.circle(area, tuple(palm.tolist()), int(0.4 * length), 1, -1)
    count = random.integers(3, 6)
    for finger in range(count):
        turn = angle + (finger - (count - 1) / 2) * random.uniform(0.3, 0.45)
        tip = center + length * random.uniform(0.8, 1.1) * np.array([np.cos(turn), np.sin(turn)])
        cv2.line(area, tuple(palm.tolist()), tuple(np.rint(tip).astype(int).tolist()), 1, max(3, int(0.22 * length)))


def random_texture(source, random):
    """(SIZE, SIZE, 3) uint8: an enlarged piece of another picture (skin, hair, cloth, wall), recoloured half of the time."""
    side = int(random.integers(60, 200))
    top, left = random.integers(0, np.array(source.shape[:2]) - side)
    piece = cv2.resize(source[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    piece = piece.astype(np.float32) * random.uniform(0.6, 1.3)
    if random.uniform() < 0.5:
        piece = piece * random.uniform(0.3, 1.2, 3) + random.uniform(0, 90, 3)
    return np.clip(piece, 0, 255).astype(np.uint8)


def faces(folder):
    """Face pictures of a folder and its folders, in order."""
    return sorted(folder.rglob("*.jpg"))


def label_of(path):
    """(SIZE, SIZE) bool: the face's label, drawn."""
    return read_metadata(path).polygon_mask(SIZE, SIZE)[..., 0] > 0.5


def held_out_labels(held_out):
    """Labels of the held-out faces, and which of them are of persons that training never sees."""
    paths = faces(held_out)
    return [label_of(path) for path in paths], np.array([path.name.startswith("unseen") for path in paths])


def constant_score(train, labels):
    """IoU of the mean training label, cut at the threshold that suits the held-out labels best."""
    mean = np.mean([label_of(path) for path in faces(train)], axis=0)
    return max(np.mean([iou(mean > cut, label) for label in labels]) for cut in np.linspace(0.05, 0.95, 37))


def iou(mask, label):
    """Intersection over union of two areas."""
    return np.count_nonzero(mask & label) / max(np.count_nonzero(mask | label), 1)


def write_sheet(work, held_out, labels):
    """Held-out faces with the outlines of label (green) and applied mask (red)."""
    tiles = []
    order = np.random.default_rng(0).permutation(len(labels))[:SHEET_FACES]
    paths = faces(held_out)
    for index in order:
        tile = read_bgr(paths[index])
        mask = read_metadata(paths[index]).decode_xseg_mask()[..., 0] > 0.5
        for area, color in ((labels[index], (0, 255, 0)), (mask, (0, 0, 255))):
            contours = cv2.findContours(area.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
            cv2.drawContours(tile, contours, -1, color, 1)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 6)
    path = work / "held_out.png"
    cv2.imwrite(str(path), np.vstack([np.hstack(tiles[row : row + 6]) for row in range(0, len(tiles), 6)]))
    return path


if __name__ == "__main__":
    sys.exit(main())
