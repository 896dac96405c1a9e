"""Warnings that say the same of many files: the first are told one by one, the rest in one line at the end."""

import re

NAMED = 10
"""How many files a kind of warning is told of one by one."""
LISTED = 20
"""How many names the line at the end holds."""

_PLACE = re.compile(r"(?P<place>[^\n]*?\.[A-Za-z0-9]{2,5})(?=[:, ]|\.( |$))(?P<rest>.*)", re.DOTALL)
_NUMBERS = re.compile(r"\d+")


class RepeatedWarnings:
    """Counts warnings that differ only in the file they begin with, and in numbers."""

    def __init__(self):
        self._kinds: dict[str, tuple[str, list[str]]] = {}

    def is_new(self, text: str) -> bool:
        """Note a warning; whether it is to be told now."""
        match = _PLACE.match(text)
        if match is None:
            return True
        kind = _NUMBERS.sub("0", match["rest"])
        rest, places = self._kinds.setdefault(kind, (match["rest"], []))
        if match["place"] in places:
            return True  # The same file again, such as one that every save of a long training fails to write.
        places.append(match["place"])
        return len(places) <= NAMED

    def summary(self) -> list[str]:
        """A line for each kind that was not told of every file; nothing is left to be told then."""
        kinds, self._kinds = self._kinds, {}
        return [_line(rest, places) for rest, places in kinds.values() if len(places) > NAMED]


def _line(rest, places):
    untold = places[NAMED:]
    names = ", ".join(re.split(r"[\\/]", place)[-1] for place in untold[:LISTED])
    more = f" and {len(untold) - LISTED} more" if len(untold) > LISTED else ""
    told = rest.strip().lstrip(":").strip().rstrip(".")
    return f"{len(places)} files in all: {told}. The others: {names}{more}."
