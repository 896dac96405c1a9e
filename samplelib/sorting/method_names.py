"""Names of the sorting methods, for the command line and the menu; imports nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A way to sort: its key on the command line, its line in the menu, other spellings of the key."""

    key: str
    title: str
    aliases: tuple[str, ...] = ()


# In the order of the menu; DeepFaceLab's users know the first fifteen by their numbers.
METHODS = (
    Method("blur", "blur"),
    Method("motion-blur", "motion_blur"),
    Method("face-yaw", "face yaw direction"),
    Method("face-pitch", "face pitch direction"),
    Method("face-source-rect-size", "face rect size in source image"),
    Method("hist", "histogram similarity"),
    Method("hist-dissim", "histogram dissimilarity"),
    Method("brightness", "brightness"),
    Method("hue", "hue"),
    Method("black", "amount of black pixels"),
    Method("origname", "original filename"),
    Method("oneface", "one face in image"),
    Method("absdiff", "absolute pixel difference"),
    Method("final", "best faces", ("final-by-blur",)),
    Method("final-fast", "best faces faster", ("final-by-size",)),
    Method("duplicates", "near-duplicates to trash, the sharpest stays"),
    Method("identity", "person, most frequent first"),
    Method("landmarks-error", "landmark error, worst first"),
)

DEFAULT_NUMBER = 5


def all_keys() -> list[str]:
    """Every key and alias, in menu order."""
    return [key for method in METHODS for key in (method.key, *method.aliases)]


def find_method(key: str) -> Method:
    """Method of a key or alias."""
    return next(method for method in METHODS if key in (method.key, *method.aliases))
