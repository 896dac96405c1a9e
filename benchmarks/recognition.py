"""How well faces of one person are told from those of others: a folder for each person, or one picture of each.

    python benchmarks/recognition.py FOLDER

FOLDER holds aligned face pictures (``extract``). Pictures in one sub-folder, or with names that begin alike up to the first ``_`` or
digit, show one person. Each is also mirrored, turned, lit from one side, shrunk and blurred, so that there are pairs of one person
where only one picture is. Prints the share of pairs of one person that are known where one pair of strangers in 1000 is mistaken
(true acceptance at 0.1 % false), and likenesses.
"""

import argparse
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np

from core.files.imageio import read_bgr
from facelib.alignment import transform_points
from facelib.recognition.embedding import TextureEmbedding
from facelib.recognition.resnet import ResnetEmbedding
from samplelib.faces.aligned_face import read_metadata

FALSE = 0.001


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--views", type=int, default=6, help="of each picture, the plain one included")
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.rglob("*.jpg") if read_metadata(path) is not None)
    persons = [person_of(path, options.folder) for path in paths]
    print(f"{len(paths)} pictures of {len(set(persons))} persons, {options.views} views of each\n")
    print(
        "| | known at 0.1 % false | same person: least, 5 %, half above | strangers: half below, 99.9 %, most | ms a face |"
    )
    print("|---|---|---|---|---|")
    for name, embedding in (("texture", TextureEmbedding()), ("network", ResnetEmbedding())):
        report(name, embedding, paths, persons, options.views)


def report(name, embedding, paths, persons, views):
    """Print the line of one embedding."""
    vectors, owners, seconds = [], [], 0.0
    for path, person in zip(paths, persons):
        image, landmarks = read_bgr(path), read_metadata(path).landmarks
        for number in range(views):
            picture, points = view(image, landmarks, number)
            crop = embedding.crop(picture, points)
            started = time.process_time()
            vectors.append(embedding.embed([crop])[0])
            seconds += time.process_time() - started
            owners.append(person)
    vectors, owners = np.stack(vectors), np.array(owners)
    likeness, upper = vectors @ vectors.T, np.triu_indices(len(vectors), 1)
    is_same = (owners[:, None] == owners[None])[upper]
    same, strangers = np.sort(likeness[upper][is_same]), np.sort(likeness[upper][~is_same])
    limit = np.quantile(strangers, 1 - FALSE)
    print(
        f"| {name} | {(same > limit).mean():.1%} | {same[0]:.2f}, {np.quantile(same, 0.05):.2f}, {np.median(same):.2f} "
        f"| {np.median(strangers):.2f}, {limit:.2f}, {strangers[-1]:.2f} | {1000 * seconds / len(vectors):.0f} |"
    )


def person_of(path, folder):
    """Who a picture shows, by its place or name."""
    return path.parent.name if path.parent != folder else re.split(r"[\d_]", path.stem)[0] or path.stem


def view(image, landmarks, number):
    """The picture as it is, or seen otherwise, with its landmarks."""
    if number == 0:
        return image, landmarks
    random, side = np.random.default_rng(number), image.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), random.uniform(-20, 20), random.uniform(0.8, 1.1))
    points = transform_points(landmarks, matrix)
    shade = np.linspace(random.uniform(0.4, 1), random.uniform(0.6, 1.4), side)[None, :, None]
    picture = np.clip(cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT) * shade, 0, 255)
    small = max(40, int(side * random.uniform(0.2, 1)))
    picture = cv2.resize(
        cv2.resize(picture.astype(np.uint8), (small, small), interpolation=cv2.INTER_AREA), (side, side)
    )
    return picture, points


if __name__ == "__main__":
    main()
