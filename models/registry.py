"""The only list of the kinds of models."""

from models.amp.kind import KIND as AMP
from models.kind import ModelKind
from models.options import Option
from models.quick96.kind import KIND as QUICK96
from models.saehd.kind import KIND as SAEHD
from models.xseg.kind import KIND as XSEG

KINDS = (SAEHD, AMP, QUICK96, XSEG)
NAMES = tuple(sorted(each.name for each in KINDS))
SWAP_NAMES = tuple(each.name for each in KINDS if each.swaps_faces)

_BY_NAME = {each.name: each for each in KINDS}


def kind(name: str) -> ModelKind:
    """The kind of a name such as ``SAEHD``."""
    return _BY_NAME[name]


def option_table(class_name: str) -> dict[str, Option]:
    """The options of a kind of model by key, in the order of asking."""
    return kind(class_name).table


def effective_options(class_name: str, options: dict) -> dict:
    """What training uses; see :meth:`models.kind.ModelKind.effective`."""
    return kind(class_name).effective(options)
