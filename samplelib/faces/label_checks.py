"""Labels that cannot mean what was meant."""

from collections.abc import Iterable, Sequence

from core.console.counted import counted
from samplelib.faces.aligned_face import SegPolygon

_FEWEST_POINTS = 3
_MOST_NAMED = 10


def only_excludes(polygons: Iterable[SegPolygon]) -> bool:
    """Whether a face has labels and none of them includes anything, so that its mask is empty."""
    polygons = [polygon for polygon in polygons if len(polygon.points)]
    return bool(polygons) and not any(polygon.include and len(polygon.points) >= _FEWEST_POINTS for polygon in polygons)


def excludes_text(names: Sequence[str]) -> str:
    """What such faces mean for a training, with some of their names."""
    named = ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")
    count = f"{counted(len(names), 'face', 'have')} labels"
    return (
        f"{count} that only exclude ({named}): for a training such a picture shows no face at all. Draw an include area "
        "around, or run xseg suggest --complete"
    )
