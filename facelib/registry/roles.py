"""Opens a registered network as what it is: a detector, a landmark network, a recognition network, a parser or a restorer."""

from typing import Any

from facelib.registry.checked_network import CheckedNetwork
from facelib.registry.kinds import DETECTOR, LANDMARKS, PARSER, RECOGNITION, RESTORER
from facelib.registry.store import require_network

# Likeness from which two faces count as one person's, as the publishers give it (SFace) or as is usual (ArcFace).
_SFACE_THRESHOLD, _ARCFACE_THRESHOLD = 0.363, 0.35


def open_kind(kind: str, network: CheckedNetwork, smallest_face: int = 40) -> Any:
    """The object that asks a network of a kind (:data:`facelib.registry.kinds.KINDS`).

    Raises
    ------
    FormatError
        When it does not take or give what its kind does.
    """
    from facelib.registry import detectors, landmark_networks, parsers, recognizers, restorers

    if kind in detectors.MAKERS:
        return detectors.MAKERS[kind](network, smallest_face)
    if kind == "heatmaps_68":
        return landmark_networks.Heatmaps68(network)
    if kind == "points_68":
        return landmark_networks.Points68(network)
    if kind == "sface":
        return recognizers.RegisteredEmbedding(network, "SFace", _SFACE_THRESHOLD, scaled=False)
    if kind == "arcface":
        return recognizers.RegisteredEmbedding(network, "ArcFace", _ARCFACE_THRESHOLD, scaled=True)
    if kind == "ffhq":
        return restorers.Restorer(network)
    return parsers.FaceParser(network) if kind == "bisenet" else parsers.Occluder(network)


def open_detector(name: str, smallest_face: int) -> Any:
    """``detect(images)`` by a registered network."""
    return _open(name, DETECTOR, smallest_face)


def open_aligner(name: str) -> Any:
    """``align(images, boxes)`` by a registered network."""
    return _open(name, LANDMARKS)


def open_parser(name: str) -> Any:
    """``mask(image)`` by a registered network."""
    return _open(name, PARSER)


def open_restorer(name: str) -> Any:
    """``restore(face, landmarks)`` by a registered network."""
    return _open(name, RESTORER)


def open_recognizer(name: str) -> Any:
    """An embedding (:class:`samplelib.faces.persons.Embedding`) by a registered network."""
    return _open(name, RECOGNITION)


def _open(name, role, *arguments):
    entry, path = require_network(name, role)
    return open_kind(entry.kind, CheckedNetwork(path), *arguments)
