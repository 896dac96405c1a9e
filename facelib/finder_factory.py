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
    landmarks: str | None = None,
) -> tuple[list[FaceFinder], int]:
    """Face finders for parallel use, and how many frames each takes at a time.

    Parameters
    ----------
    detector : str
        ``"s3fd"``: S3FD and FAN where their weight files are found; what is missing is said and replaced by the
        embedded networks. ``"embedded"``: these only. Else the name of a registered network (:mod:`facelib.registry`), beside which
        FAN is used where its weight file is found.
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
    landmarks : str, optional
        Name of a registered landmark network, in place of FAN and of the embedded one.

    Raises
    ------
    UserError
        When a registered network is not known, not here, or not what it should be.
    """
    if landmarks is not None or detector not in (S3FD, EMBEDDED):
        return _registered(detector, landmarks, face_type, max_faces, smallest_face, tuple(places), by_hand)
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


def _registered(detector, landmarks, face_type, max_faces, smallest_face, places, by_hand):
    """Finders of which one network at least is a registered one."""
    from facelib.registry.roles import open_aligner, open_detector

    place = (places or (DEFAULT_PLACE,))[0]
    own_detector = None if detector in (S3FD, EMBEDDED) else open_detector(detector, smallest_face)
    own_aligner = None if landmarks is None else open_aligner(landmarks)
    detector_path = _weights("S3FD", detector) if own_detector is None else None
    aligner_path = (
        _weights(aligner_name(face_type), S3FD if own_detector else detector) if own_aligner is None else None
    )
    boxes = detector if own_detector else "S3FD" if detector_path else EMBEDDED
    points = landmarks or (aligner_name(face_type) if aligner_path else EMBEDDED)
    info(f"Face finder: {'by hand' if by_hand else boxes}, landmarks: {points}.")
    plain = _finder(detector_path, aligner_path, face_type, max_faces, smallest_face, place, by_hand)
    by_network = own_aligner is not None or aligner_path is not None
    finder = FaceFinder(
        own_detector or plain.detector,
        own_aligner or plain.aligner,
        max_faces,
        second_pass=by_network,
        pixel_exact=not by_network,
    )
    return [finder], NETWORK_BATCH_SIZE


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
