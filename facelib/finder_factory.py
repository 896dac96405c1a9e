"""Makes the face finders that an extraction uses, from what weight files are there."""

from core.console.interact import info
from core.engines import DEFAULT_PLACE, Place
from core.parallel import cpu_count
from facelib.face_finder import FaceFinder
from facelib.face_type import FaceType

EMBEDDED, S3FD = "embedded", "s3fd"
NETWORK_BATCH_SIZE = 8


def make_finders(
    detector: str,
    face_type: FaceType,
    max_faces: int = 0,
    smallest_face: int = 40,
    places: tuple[Place, ...] = (),
    by_hand: bool = False,
) -> tuple[list[FaceFinder], int]:
    """Face finders for parallel use, and how many frames each takes at a time.

    Parameters
    ----------
    detector : str
        ``"s3fd"``: S3FD and FAN where their weight files are found; what is missing is said and replaced by the
        embedded networks. ``"embedded"``: these only.
    face_type : FaceType
        From ``HEAD`` on the 3-D variant of FAN is used.
    max_faces : int
        Largest faces kept of a frame; 0 = all.
    smallest_face : int
        Side in pixels of the smallest face wanted.
    places : tuple of Place
        Engines and devices for S3FD and FAN, one finder each; TensorFlow's default device if empty.
    by_hand : bool
        Boxes come from a person, one frame at a time: one finder, which gives landmarks for every box.
    """
    aligner_path = _weights(aligner_name(face_type), detector)
    detector_path = _weights("S3FD", detector) if aligner_path is not None or not by_hand else None
    info(_description(detector, detector_path, aligner_path, aligner_name(face_type), by_hand))
    if detector_path is None and aligner_path is None:
        finder = _finder(None, None, face_type, max_faces, smallest_face, DEFAULT_PLACE, by_hand)
        return [finder] * (1 if by_hand else cpu_count()), 1
    places = tuple(places) or (DEFAULT_PLACE,)
    finders = [
        _finder(detector_path, aligner_path, face_type, max_faces, smallest_face, place, by_hand)
        for place in places[: 1 if by_hand else None]
    ]
    return finders, NETWORK_BATCH_SIZE


def aligner_name(face_type: FaceType) -> str:
    """Name of the landmark network's weight file for a face type."""
    return "3DFAN" if face_type >= FaceType.HEAD else "2DFAN"


def any_weights() -> bool:
    """Whether a network that could run on a graphics card will be used."""
    from facelib.weights import find_weights

    return any(find_weights(name) is not None for name in ("S3FD", "2DFAN", "3DFAN"))


def _weights(name, detector):
    if detector != S3FD:
        return None
    from facelib.weights import find_weights

    return find_weights(name)


def _description(detector, detector_path, aligner_path, aligner, by_hand):
    """One line: which finder is used, and how to get the other."""
    from core.console.commands import command

    boxes = "by hand" if by_hand else "S3FD" if detector_path is not None else "embedded"
    landmarks = aligner if aligner_path is not None else "embedded"
    used = f"Face finder: {boxes}, landmarks: {landmarks}."
    if detector != S3FD:
        return f"{used} --detector s3fd takes S3FD and {aligner} instead."
    needed = {aligner: aligner_path, **({} if by_hand else {"S3FD": detector_path})}
    missing = [f"{name}.npy" for name, path in needed.items() if path is None]
    if missing:
        return f"{used} Not on this computer: {', '.join(missing)}. To fetch: {command('util --fetch-weights')}"
    return f"{used} --detector embedded takes the networks that need no weight files."


def _finder(detector_path, aligner_path, face_type, max_faces, smallest_face, place, by_hand):
    if detector_path is None:
        from facelib.detectors.embedded import EmbeddedDetector

        detector = EmbeddedDetector(smallest_face)
    else:
        from facelib.detectors.s3fd import S3fdDetector

        detector = S3fdDetector(detector_path, smallest_face, place)
    if aligner_path is None:
        from facelib.aligners.embedded import EmbeddedAligner

        flat = face_type < FaceType.HEAD
        aligner = EmbeddedAligner(0.0, flat) if by_hand else EmbeddedAligner(visible_outline=flat)
    else:
        from facelib.aligners.fan import FanAligner

        aligner = FanAligner(aligner_path, place)
    is_fan = aligner_path is not None
    return FaceFinder(detector, aligner, max_faces, second_pass=is_fan, pixel_exact=not is_fan)
