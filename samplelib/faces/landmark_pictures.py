"""Draws the landmarks of face pictures into copies of them, to look at."""

from typing import Any

from core.console import interact
from core.errors import FormatError
from core.files.imageio import read_bgr, write_image
from facelib.drawing import draw_landmarks, draw_rect_landmarks
from facelib.face_type import FaceType
from samplelib.faces.faceset import loose_faces, refuse_to_replace_face

DEBUG_ENDING = "_debug"
_QUALITY = 50
_DRAWN_FACE_SIZE = 256


def add_landmark_pictures(folder: Any) -> int:
    """Write ``<stem>_debug.jpg`` beside every face picture; returns how many."""
    written = 0
    for path, _, metadata in interact.track(loose_faces(folder), "Processing"):
        try:
            image = read_bgr(path)
        except FormatError as error:
            interact.warning(f"{error}. It is skipped.")
            continue
        if metadata.face_type == FaceType.MARK_ONLY.text and metadata.source_rect is not None:
            draw_rect_landmarks(
                image, metadata.source_rect, metadata.landmarks, FaceType.FULL, _DRAWN_FACE_SIZE, transparent_mask=True
            )
        else:
            draw_landmarks(image, metadata.landmarks, transparent_mask=True)
        target = path.with_name(f"{path.stem}{DEBUG_ENDING}.jpg")
        refuse_to_replace_face(target)
        write_image(target, image, _QUALITY)
        written += 1
    return written
