"""Numbers of things in messages, in the singular and the plural."""

# What a verb of the plural is in the singular.
_SINGULAR = {
    "are": "is",
    "were": "was",
    "have": "has",
    "differ": "differs",
    "stay": "stays",
    "belong": "belongs",
    "hold": "holds",
}


def counted(count: int, noun: str, verb: str = "") -> str:
    """``1 face``, ``2 faces``; of several words the last one is put in the plural, ``1 saved model``.

    Parameters
    ----------
    count : int
    noun : str
        In the singular; its plural ends in s.
    verb : str
        In the plural; ``1 picture is``, ``2 pictures are``.
    """
    subject = f"{count} {noun}{'' if count == 1 else 's'}"
    if not verb:
        return subject
    return f"{subject} {_SINGULAR.get(verb, verb) if count == 1 else verb}"
