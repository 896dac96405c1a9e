"""Which faces belong to a person who is given by pictures."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from core.errors import FormatError, UserError
from core.files.imageio import read_bgr
from core.files.paths import list_images
from core.records.yaml_file import read_yaml
from facelib.recognition.embedding import NetworkEmbedding, TextureEmbedding
from samplelib.faces.aligned_face import read_metadata

CAST_NAME = "cast.yaml"
_MOST_PICTURES = 200  # of a person's folder


class Embedding(Protocol):
    """Numbers that say who a face is.

    Attributes
    ----------
    description : str
    threshold : float
        Likeness from which two faces are taken for one person's.
    """

    description: str
    threshold: float

    def crop(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The face as :meth:`embed` wants it."""

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        """(n, d) vectors of length 1."""


def open_embedding(model: Path | None = None, name: str | None = None) -> Embedding:
    """The network of a file, or the registered one of a name, else that of the program, else the texture of the face."""
    if name is not None:
        from facelib.registry.roles import open_recognizer

        return open_recognizer(name)
    if model is not None:
        return NetworkEmbedding(model)
    if not all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")):
        return TextureEmbedding()
    from facelib.recognition.resnet import ResnetEmbedding

    return ResnetEmbedding()


def embed_reference(path: Path, embedding: Embedding) -> np.ndarray:
    """The vector of the largest face in a picture, which may be a face picture or any photo."""
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give a picture of the person to keep.")
    image, metadata = read_bgr(path), read_metadata(path)
    landmarks = _find_landmarks(path, image) if metadata is None else metadata.landmarks
    try:
        return embedding.embed([embedding.crop(image, landmarks)])[0]
    except FormatError:
        raise
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_cast(path: Path) -> dict[str, list[str]]:
    """Names of persons with the names of some of their pictures.

    Raises
    ------
    FormatError
        When the file is no list of persons, or gives a name twice.
    """
    cast: dict[str, list[str]] = {}
    file = read_yaml(path, "cast")
    persons = file.mapping(("persons",))
    if "persons" not in persons:
        raise file.unexpected("a list of persons")
    for row in persons["persons"].sequence():
        fields = row.mapping(("name", "pictures"))
        if not {"name", "pictures"} <= fields.keys():
            raise row.unexpected("a person with name and pictures")
        name = fields["name"].text()
        if name in cast:
            raise fields["name"].error(f"the name {name} is given twice")
        cast[name] = [_file_name(picture) for picture in fields["pictures"].sequence()]
    return cast


def _file_name(value):
    """A name of a picture beside the file, nothing that leads out of its folder."""
    name = value.text()
    if name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
        raise value.unexpected("the name of a picture")
    return name


def person_places(given: Sequence[Path], folder: Path) -> list[Path]:
    """What ``--keep`` was given, names of the cast in ``folder`` (``cast.yaml``) replaced by their pictures.

    Raises
    ------
    UserError
        When something is neither there nor a name of the cast.
    """
    places: list[Path] = []
    for place in given:
        if place.exists():
            places.append(place)
            continue
        cast = read_cast(folder / CAST_NAME) if (folder / CAST_NAME).is_file() else {}
        if place.name not in cast:
            known = f"; the cast of {folder} is {', '.join(cast)}" if cast else ""
            raise UserError(f"{place}: no such file, and no name of a cast{known}.")
        pictures = [folder / name for name in cast[place.name] if (folder / name).is_file()]
        if not pictures:
            raise UserError(
                f"{place.name}: none of the pictures that {folder / CAST_NAME} lists is there. A packed faceset has to be unpacked "
                "for that, or give a picture."
            )
        places += pictures
    return places


class KnownPerson:
    """The person of some pictures; a face belongs to it that is like one of them.

    Parameters
    ----------
    places : sequence of Path
        Pictures, and folders of pictures that all show this person.
    likeness : float, optional
        The least that counts; that of the embedding if left out.
    embedding : Embedding, optional

    Raises
    ------
    UserError
        When a picture shows no face, or a place is not there.
    """

    def __init__(self, places: Sequence[Path], likeness: float | None = None, embedding: Embedding | None = None):
        self.embedding = open_embedding() if embedding is None else embedding
        self.likeness = self.embedding.threshold if likeness is None else likeness
        pictures = [picture for place in places for picture in _pictures_of(place)]
        self._vectors = np.stack([embed_reference(path, self.embedding) for path in pictures])

    def likeness_of(self, image: np.ndarray, landmarks: np.ndarray) -> float:
        """How much the face with these (68, 2) landmarks in a picture is like the person, up to 1; -1 when nobody can tell."""
        try:
            return float(self.likeness_of_vectors(self.embedding.embed([self.embedding.crop(image, landmarks)]))[0])
        except FormatError:
            raise
        except UserError:
            return -1.0

    def likeness_of_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """The same of (n, d) vectors of the embedding: (n,)."""
        return (np.asarray(vectors) @ self._vectors.T).max(axis=1)

    def is_shown(self, image: np.ndarray, landmarks: np.ndarray) -> bool:
        """Whether the face with these landmarks is the person's."""
        return self.likeness_of(image, landmarks) >= self.likeness


def _pictures_of(place):
    if not place.is_dir():
        return [place]
    pictures = list_images(place, required=True)
    step = -(-len(pictures) // _MOST_PICTURES)
    return pictures[::step]


def _find_landmarks(path, image):
    from facelib.aligners.embedded import EmbeddedAligner
    from facelib.detectors.embedded import EmbeddedDetector

    boxes = EmbeddedDetector().detect([image])[0]
    landmarks = EmbeddedAligner().align([image], [boxes[:1]])[0][0] if boxes else None
    if landmarks is None:
        raise UserError(f"{path}: no face found in it. Give a picture where the person looks towards the camera.")
    return landmarks
