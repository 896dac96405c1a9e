"""Numbers of things in messages, in the singular and the plural."""


def counted(count: int, noun: str) -> str:
    """``1 face``, ``2 faces``; of several words the last one is put in the plural, ``1 saved model``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
