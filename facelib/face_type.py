"""Face types: how much of a head an aligned face picture shows."""

from enum import IntEnum

from core.errors import UserError


class FaceType(IntEnum):
    """Area of an aligned face. Larger codes cover a larger area, so types may be compared."""

    HALF = 0
    MIDFULL = 1
    FULL = 2
    FULL_NO_ALIGN = 3
    WHOLE_FACE = 4
    HEAD = 10
    HEAD_NO_ALIGN = 20
    MARK_ONLY = 100

    @property
    def text(self) -> str:
        """Name as stored in a face picture, for example ``"whole_face"``."""
        return _TEXTS[self]

    @property
    def padding(self) -> float | None:
        """Border around the unit square of the mean face, in halves of its diagonal over √2; None for mark_only."""
        return _PADDINGS.get(self)

    @property
    def is_upright(self) -> bool:
        """Whether the crop keeps the frame's own up direction instead of turning with the face ("no align")."""
        return self in (FaceType.FULL_NO_ALIGN, FaceType.HEAD_NO_ALIGN)

    @classmethod
    def from_text(cls, text: str) -> "FaceType":
        """Face type of a stored name, in any case.

        Raises
        ------
        UserError
            When the name is unknown, for example a fork's own type.
        """
        for face_type, name in _TEXTS.items():
            if str(text).strip().lower() == name:
                return face_type
        raise UserError(f"unknown face type {text!r}; known are {', '.join(_TEXTS.values())}.")

    @classmethod
    def from_prompt_key(cls, key: str) -> "FaceType":
        """Face type of a short name as typed at a question: h, mf, f, wf or head."""
        try:
            return _PROMPT_KEYS[str(key).strip().lower()]
        except KeyError:
            raise UserError(f"unknown face type {key!r}; choose one of {', '.join(_PROMPT_KEYS)}.") from None


_TEXTS = {
    FaceType.HALF: "half_face",
    FaceType.MIDFULL: "midfull_face",
    FaceType.FULL: "full_face",
    FaceType.FULL_NO_ALIGN: "full_face_no_align",
    FaceType.WHOLE_FACE: "whole_face",
    FaceType.HEAD: "head",
    FaceType.HEAD_NO_ALIGN: "head_no_align",
    FaceType.MARK_ONLY: "mark_only",
}
_PADDINGS = {
    FaceType.HALF: 0.0,
    FaceType.MIDFULL: 0.0675,
    FaceType.FULL: 0.2109375,
    FaceType.FULL_NO_ALIGN: 0.2109375,
    FaceType.WHOLE_FACE: 0.40,
    FaceType.HEAD: 0.70,
    FaceType.HEAD_NO_ALIGN: 0.70,
}
_PROMPT_KEYS = {
    "h": FaceType.HALF,
    "mf": FaceType.MIDFULL,
    "f": FaceType.FULL,
    "wf": FaceType.WHOLE_FACE,
    "head": FaceType.HEAD,
}
