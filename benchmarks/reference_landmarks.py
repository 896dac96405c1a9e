"""Landmarks by dlib's 68-point predictor, for benchmarks/landmarks.py: ``python benchmarks/reference_landmarks.py FOLDER PREDICTOR``.

Needs ``pip install dlib-bin numpy`` and nothing of the program, so that it can run in an environment of its own. PREDICTOR is
``shape_predictor_68_face_landmarks.dat``, which the package ``face_recognition_models`` carries. Writes ``FOLDER/reference.json``:
name of each picture → landmarks of its faces.
"""

import argparse
import json
from pathlib import Path

SMALLEST, LEAST_SCORE, MOST_PIXELS = 60, 0.3, 4_000_000


def main():
    """Look at every picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("predictor", type=Path)
    options = parser.parse_args()
    import dlib

    detect, predict = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(options.predictor))
    found = {}
    for path in sorted(options.folder.iterdir()):
        try:
            picture = dlib.load_rgb_image(str(path))
        except RuntimeError:
            continue
        if picture.shape[0] * picture.shape[1] > MOST_PIXELS:
            continue
        boxes, scores, _ = detect.run(picture, 1, LEAST_SCORE)
        shapes = [predict(picture, box) for box, _ in zip(boxes, scores) if box.width() >= SMALLEST]
        if shapes:
            found[path.name] = [[(shape.part(i).x, shape.part(i).y) for i in range(68)] for shape in shapes]
    (options.folder / "reference.json").write_text(json.dumps(found))
    print(f"{sum(map(len, found.values()))} faces in {len(found)} pictures: {options.folder / 'reference.json'}")


if __name__ == "__main__":
    main()
