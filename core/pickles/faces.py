"""Recognises a whole face in the index of a packed faceset, as DeepFaceLab and this program write it, in a few steps.

Every step does exactly what its operations would do one by one, or nothing. Where a face looks different, what was read
so far is left as the machine would have it there, and the machine goes on; so this knows nothing of names and limits.
"""

import re
import struct
from typing import Any

from core.pickles.pairs import LAYOUTS
from core.pickles.vectors import reference

_GET, _REMEMBER, _NUMBER = rb"(?:h.|j.{4})", rb"(\x94?)", rb"(?:K.|M.{2}|J.{4})"
_VALUE = rb"(?:h.|j.{4}|K.|N|G.{8}|M.{2}|J.{4})"
_TOKENS = re.compile(_VALUE, re.DOTALL)
_MOST_KNOWN = 5000
_DEEPEST = 4
_CONTAINERS = 5
_MOST_VALUES = 40
_BYTES_PER_VALUE = 64
_LONGEST_KNOWN = 63
FACE_DEPTH = 3
"""How many containers a face has inside each other, at most."""
_LANDMARKS = 68
_NONE, _SHORT_GET, _LONG_GET = b"Nhj"
_PLAIN = frozenset({str, int, float, bool, type(None)})
_NUMBERS = {ord("K"): "B", ord("M"): "<H", ord("J"): "<i", ord("G"): ">d"}


def _pattern(*parts):
    return re.compile(b"".join(parts), re.DOTALL)


# the dictionary is open: sample_type, filename up to its text
_TO_NAME = _pattern(_REMEMBER, rb"\((", _GET, _VALUE, _GET, rb")\x8c(.)")
# face_type, shape, landmarks up to the first pair
_TO_LANDMARKS = _pattern(
    _REMEMBER, b"(", _GET, _VALUE, _GET, _NUMBER * 3, rb")\x87", _REMEMBER, b"(", _GET, rb")\]", _REMEMBER, rb"\(\](.)"
)
# eyebrows_expand_mod, source_filename up to its text
_SOURCE = rb"(%b)\x8c(.)" % (_GET + _VALUE + _GET)
_TO_SOURCE = _pattern(_SOURCE)
# seg_ie_polys without a polygon, xseg_mask, xseg_mask_compressed, and what follows when that is None
_TO_MASK = _pattern(
    b"(", _GET, rb")\}", _REMEMBER, rb"(\(?)(", _GET, rb")\]", _REMEMBER, b"([us])(", _GET, _VALUE, _GET, b")",
    rb"(?:N", _SOURCE, b")?",
)  # fmt: skip
# person_name, end of the dictionary
_TO_END = _pattern(_REMEMBER, b"(", _GET, _VALUE, b")u")


def face_at(machine: Any) -> bool:
    """Read the face whose dictionary was just opened; False, with nothing changed, when it looks different at once."""
    data = machine.data
    head = _TO_NAME.match(data, machine.at)
    if head is None or machine.containers < _CONTAINERS or len(machine.marks) > _DEEPEST:
        return False
    remember, tokens, length = head.groups()
    known = machine.known.get(tokens) or _learned(machine, tokens)
    start = head.end()
    stored = data[start : start + length[0]]
    if known is None or len(stored) != length[0]:
        return False
    face, entries = {}, [*known, str(stored, "utf-8", "surrogatepass")]
    if remember:
        _remember(machine, face)
    machine.containers -= 1
    machine.at = start + length[0]
    if _landmarks(machine, entries) and _to_end(machine, entries):
        machine.set_items(face, entries)
        machine.stack.append(face)
        machine.faces[id(face)] = face
        machine.faces_size += _MOST_VALUES + (machine.at - start) // _BYTES_PER_VALUE
    else:
        machine.stack.append(face)
        machine.marks.append(machine.stack)
        machine.stack = entries
    return True


def _landmarks(machine, entries):
    """From the end of the file name to the end of the landmarks."""
    data = machine.data
    match = _TO_LANDMARKS.match(data, machine.at)
    if match is None:
        return False
    name, tokens, remember_shape, landmarks_token, remember_list, second = match.groups()
    known = machine.known.get(tokens) or _learned(machine, tokens)
    known_key = machine.known.get(landmarks_token) or _learned(machine, landmarks_token)
    layout, first = LAYOUTS.get(second[0]), match.end() - 2
    if layout is None or known is None or known_key is None:
        return False
    block = layout.exact_run_at(data, first, _LANDMARKS)
    if block is None or data[first + block.nbytes : first + block.nbytes + 1] != b"e":
        return False
    key, value, shape_key, *shape = known
    shape, landmarks = tuple(shape), [block]
    if name:
        _remember(machine, entries[-1])
    if remember_shape:
        _remember(machine, shape)
    if remember_list:
        _remember(machine, landmarks)
    if layout.remembers:
        machine.memo_size += _LANDMARKS
    machine.containers -= 2
    machine.at = first + block.nbytes + 1
    entries += (key, value, shape_key, shape, known_key[0], landmarks)
    return True


def _to_end(machine, entries):
    """From the end of the landmarks to the end of the dictionary; labels only when there are none."""
    match = _TO_MASK.match(machine.data, machine.at)
    if match is None:
        return False
    key, polygons_at, mark, inner_key, list_at, close, tokens, source, length = match.groups()
    known = machine.known
    known_key = known.get(key) or _learned(machine, key)
    known_inner = known.get(inner_key) or _learned(machine, inner_key)
    values = known.get(tokens) or _learned(machine, tokens)
    if (
        not (known_key and known_inner and values)
        or type(known_inner[0]) is not str
        or (mark == b"(") != (close == b"u")
    ):
        return False
    inner = []
    polygons = {known_inner[0]: inner}
    if polygons_at:
        _remember(machine, polygons)
    if list_at:
        _remember(machine, inner)
    machine.containers -= 2
    entries += (known_key[0], polygons, *values)
    machine.at = match.end(7)
    if source is None:
        mask = machine.vector()
        match = mask is not None and _TO_SOURCE.match(machine.data, machine.at)
        if mask is not None:
            entries.append(mask)
        if not match:
            return False
        source, length = match.groups()
    else:
        machine.at += 1
        entries.append(None)
    return _source(machine, entries, source, match.end(), length[0])


def _source(machine, entries, tokens, start, length):
    """The text of the source's name and what follows it; its key and the entry before are in ``tokens``."""
    data = machine.data
    known = machine.known.get(tokens) or _learned(machine, tokens)
    stored = data[start : start + length]
    if known is None or len(stored) != length:
        return False
    text = str(stored, "utf-8", "surrogatepass")
    machine.at = start + length
    entries += (*known, text)
    match = _TO_END.match(data, machine.at)
    if match is None:
        return False
    remember, tokens = match.groups()
    known = machine.known.get(tokens) or _learned(machine, tokens)
    if known is None:
        return False
    if remember:
        _remember(machine, text)
    machine.at = match.end()
    entries += known
    return True


def _remember(machine, value):
    machine.memo[machine.memo_size] = value
    machine.memo_size += 1


def _learned(machine, tokens):
    """Plain values that operations push: numbers, None, or what is remembered; None when one is not that plain."""
    values = []
    for token in _TOKENS.findall(tokens):
        kind = token[0]
        if kind in (_SHORT_GET, _LONG_GET):
            index = reference(token)
            value = machine.memo.get(index, machine) if index < machine.memo_size else machine
            if type(value) not in _PLAIN or (type(value) is str and len(value) > _LONGEST_KNOWN):
                return None
            values.append(value)
        else:
            values.append(None if kind == _NONE else struct.unpack(_NUMBERS[kind], token[1:])[0])
    if len(machine.known) > _MOST_KNOWN:
        machine.known.clear()
    machine.known[tokens] = tuple(values)
    return machine.known[tokens]
