"""Questions before something of the user's is thrown away that may exist nowhere else."""

from enum import Enum

from core.console import interact
from core.console.answers import as_bool_answer


class Fate(Enum):
    """What becomes of files that are in the way: deleted, set aside in a trash folder, or kept where they are."""

    DELETE = "delete"
    SET_ASIDE = "set aside"
    KEEP = "keep"


def confirm_loss(label: str, flag: str | None = None) -> bool:
    """Whether somebody agrees to lose something: a person, a line of a pipe, or an answers file that names the question.

    ``--yes`` does not: it was given before anybody could know what is lost.

    Parameters
    ----------
    label : str
        The question, for example ``"Delete 12 labels in aligned?"``.
    flag : str, optional
        Allows it without a question; named when nobody agrees.
    """
    agreed = _agreement(label)
    if agreed is None:
        interact.info(f"{label} no: --yes throws away nothing that may exist nowhere else.")
    if not agreed and flag and not interact.has_terminal():
        interact.info(f"Nobody to ask; answered no. Give {flag} to allow it.")
    return bool(agreed)


def ask_fate(label: str, flag: str | None = None) -> Fate:
    """What becomes of files in the way: deleted when somebody agrees, set aside with ``--yes``, else kept.

    Arguments as :func:`confirm_loss`.
    """
    agreed = _agreement(label)
    if agreed is None:
        interact.info(f"{label} Set aside, because --yes throws away nothing that may exist nowhere else.")
        return Fate.SET_ASIDE
    if not agreed and flag and not interact.has_terminal():
        interact.info(f"Nobody to ask; answered no. Give {flag} to allow it, or --yes to set them aside.")
    return Fate.DELETE if agreed else Fate.KEEP


def _agreement(label):
    """The answer of a person or a file; None when there is only ``--yes``."""
    given = interact.named_answer(label)
    if given is not None:
        agreed = as_bool_answer(given).lower() == "y"
        interact.info(f"{label} {'yes' if agreed else 'no'}")
        return agreed
    if interact.confirms_all():
        return None
    return interact.ask_bool(label, False, from_file=False)
